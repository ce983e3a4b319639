"""A case file: why, settings and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.harness.errors import CaseError, unknown

KEYS = ("why", "settings", "steps")
STEPS = ("load", "delete", "write", "settings", "run", "command", "expect", "expect_some", "expect_run")
OF_COMMANDS = ("args", "exit", "files")
COMMANDS = ("run", "command")


@dataclass(frozen=True)
class Step:
    """One step: its place in the file, counted from 1, its kind and what it says."""

    number: int
    kind: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An expectation and the settings that it needs."""

    why: str
    settings: dict[str, Any]
    steps: Sequence[Step]


def read_case(path: Path) -> Case:
    """The case of a file; raises CaseError for whatever is no case."""
    try:
        return parse_case(yaml.safe_load(path.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise CaseError(f"{path.name} is not YAML: {error}") from error


def parse_case(content: Any) -> Case:
    if not isinstance(content, dict):
        raise CaseError("a case is a mapping of why, settings and steps")
    _refuse_unknown("key of a case", content, KEYS)
    if not isinstance(content.get("why"), str) or not isinstance(content.get("steps"), list):
        raise CaseError("a case says in a sentence `why` it is, and lists its `steps`")
    steps = [_parse_step(number, step) for number, step in enumerate(content["steps"], start=1)]
    return Case(content["why"], content.get("settings") or {}, steps)


def _parse_step(number: int, step: Any) -> Step:
    if not isinstance(step, dict) or len(step) != 1:
        raise CaseError(f"step {number} is not one of {', '.join(STEPS)} with what it says")
    _refuse_unknown(f"step (step {number})", step, STEPS)
    kind, content = next(iter(step.items()))
    content = content or {}
    if not isinstance(content, dict):
        raise CaseError(f"step {number} ({kind}) has to say a mapping, not {content!r}")
    if kind in COMMANDS:
        _refuse_unknown(f"key of {kind} (step {number})", content, OF_COMMANDS)
    return Step(number, kind, content)


def _refuse_unknown(what: str, mapping: dict[str, Any], known: Sequence[str]) -> None:
    for name in mapping:
        if name not in known:
            raise unknown(what, name, known)
