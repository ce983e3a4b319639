"""Executes the steps of a case, one after the other, and stops at the first that does not hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobs.__main__ import main
from tests.harness.case import Case, Step
from tests.harness.comparison import differences
from tests.harness.environment import Environment, merged
from tests.harness.errors import CaseError, Mismatch
from tests.harness.records import record_differences
from tests.harness.store import Store
from tests.harness.values import Row

Content = dict[str, Any]


def execute(case: Case, environment: Environment, folder: Path) -> None:
    """Raises Mismatch, or CaseError where the file is wrong, with the number of the step and why the case is."""
    conf = environment.configure(case.settings, folder)
    for step in case.steps:
        try:
            problems = perform(step, environment, conf)
        except CaseError as error:
            raise CaseError(f"step {step.number} ({step.kind}): {error}") from error
        if problems:
            raise Mismatch("\n  ".join([f"{case.why}\nstep {step.number} ({step.kind}):", *problems]))


def perform(step: Step, environment: Environment, conf: Path) -> list[str]:
    """What does not hold."""
    store, content = environment.store, step.content
    changes: dict[str, Callable[[str, Any], None]] = {"load": store.load, "delete": store.delete, "write": store.merge}
    match step.kind:
        case "load" | "delete" | "write":
            for table, rows in content.items():
                changes[step.kind](table, rows)
            return []
        case "settings":  # from here on, over those of the case
            conf.write_text(yaml.safe_dump(merged(yaml.safe_load(conf.read_text("utf-8")), content)), "utf-8")
            return []
        case "run":
            return command(["run", *_arguments(content, conf.parent)], content.get("exit", 0), conf)
        case "command":
            return command(_arguments(content, conf.parent), content.get("exit", 0), conf)
        case "expect_run":
            return record_differences(environment.ledger.latest(), content)
        case _:
            return compare(content, store, store.stored, others_allowed=step.kind == "expect_some")


def compare(content: Content, store: Store, stored: Callable[[str], Sequence[Row]], others_allowed: bool) -> list[str]:
    """What does not hold of the rows of tables that `stored` gives."""
    return [
        sentence
        for table, rows in content.items()
        for sentence in differences(table, store.key(table), stored(table), store.expected(table, rows), others_allowed)
    ]


def command(arguments: Sequence[str], expected: int, conf: Path) -> list[str]:
    """Run a command in this process, and say what does not hold."""
    code, output = called(arguments, conf)
    if code == expected:
        return []
    name = f"`activity-aggregates {' '.join(arguments)}`"
    return [f"{name} ended with {code}, not with {expected}; it said:", *output.splitlines()]


def called(arguments: Sequence[str], conf: Path) -> tuple[int, str]:
    """Exit code and output of a command; the output is shown with a failure of this step or a later one."""
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output):
            code = main([*arguments, "--conf", str(conf)])
    finally:
        print(f"$ activity-aggregates {' '.join(arguments)}\n{output.getvalue()}", end="")
    return code, output.getvalue()


@dataclass(frozen=True)
class Said:
    """What a command said and ended with."""

    code: int
    out: str
    err: str


def said(command: Callable[..., int], *arguments: str) -> Said:
    """What a command says on each of its streams in this process."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = command(*arguments)
    return Said(code, out.getvalue(), err.getvalue())


def _arguments(content: Content, folder: Path) -> list[str]:
    """With the paths of the files that the step has, which are written into the folder."""
    files: dict[str, str] = content.get("files") or {}
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [str(folder / argument if argument in files else argument) for argument in content.get("args") or []]
