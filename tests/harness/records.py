"""The record of a run against what a case expects of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from activity_aggregates.request.scope import Scope
from activity_aggregates.store.ledger import RUN, RUNNING, RunRecord, new_run_id
from tests.harness.values import instant, shown

FULL = Scope()
FIELDS = {field.name for field in fields(RunRecord)} - {"counts"}


def record_differences(record: RunRecord | None, expected: Mapping[str, Any]) -> list[str]:
    """A sentence per named entry that differs."""
    if record is None:
        return ["the ledger has no run"]
    sentences = []
    for name, value in flattened(expected):
        found = recorded(record, name)
        wanted = instant(value) if isinstance(found, datetime) else value
        if wanted != found:
            sentences.append(f"the run record's {name}: expected {shown(wanted)}, found {shown(found)}")
    return sentences


def flattened(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names with their values.

    >>> dict(flattened({"refused": {"missing_key": 1, "progress": {"missing_key": 2}}, "written": 0}))
    {'refused.missing_key': 1, 'refused.progress.missing_key': 2, 'written': 0}
    """
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def recorded(record: RunRecord, name: str) -> Any:
    """A field of the record, or a count: its own, the one below `counted.`, the sum of those below the name, or 0."""
    if name in FIELDS:
        value = getattr(record, name)
        return value.describe() if isinstance(value, Scope) else value
    for full_name in (name, f"counted.{name}"):
        if full_name in record.counts:
            return record.counts[full_name]
    return sum(count for below, count in record.counts.items() if below.startswith(f"{name}."))


def left_by_a_killed_run(command: str = RUN, scope: Scope = FULL) -> RunRecord:
    """The record of one that was computing when it was killed."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return RunRecord(
        run_id=new_run_id(began), command=command, status=RUNNING, staged=False, as_of=began, sequence=0, scope=scope,
        started_at=began, finished_at=None, staging_dir="", counts={}, phases={}, settings_digest="", code_version="",
        message="",
    )  # fmt: skip
