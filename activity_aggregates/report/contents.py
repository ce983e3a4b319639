"""What the report of a run says, as values: the page and the JSON show the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from activity_aggregates.changes.staged import ChangedRow
from activity_aggregates.report.completion import Completion
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.targets import TargetTable

ENROLLED, COMPLETED = "enrolled.activity_agg", "completed.activity_agg"
_ENROLMENTS = "enrolments"  # the source whose refusals are counted without its name


@dataclass(frozen=True)
class TableRows:
    """Rows of one target table by what the run did to them; None where it did not come so far."""

    table: str
    stored: int | None
    changed: int | None
    written: int | None
    retracted: int | None
    newer: int | None


@dataclass(frozen=True)
class Refusal:
    """Rows of one source that were refused for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True)
class TableChanges:
    """The rows of a table that changed most."""

    table: TargetTable
    rows: tuple[ChangedRow, ...]


@dataclass(frozen=True)
class Report:
    """One run in full. `history` is it and the runs before it, newest first; `changes` is None where they are gone."""

    run: RunRecord
    written_at: datetime
    changes: tuple[TableChanges, ...] | None
    completion: Completion
    history: tuple[RunRecord, ...]


def rows_by_table(counts: Mapping[str, int]) -> list[TableRows]:
    """A line for each table that the run compared.

    >>> rows_by_table({"stored.activity_agg": 60, "changed.activity_agg": 2, "written": 2})
    [TableRows(table='activity_agg', stored=60, changed=2, written=None, retracted=None, newer=None)]
    """
    kinds = ("stored", "changed", "written", "retracted", "newer")
    tables = [name.removeprefix("changed.") for name in sorted(counts) if name.startswith("changed.")]
    return [TableRows(table, *(counts.get(f"{kind}.{table}") for kind in kinds)) for table in tables]


def refusals(counts: Mapping[str, int]) -> list[Refusal]:
    """What was refused, most rows first.

    >>> refusals({"refused.missing_key": 1, "refused.progress.invalid_status": 3, "refused.invalid_status": 0})
    [Refusal(source='progress', reason='invalid_status', rows=3),
     Refusal(source='enrolments', reason='missing_key', rows=1)]
    """
    found = [refusal for refusal in _refusals(counts) if refusal.rows]
    return sorted(found, key=lambda refusal: (-refusal.rows, refusal.source, refusal.reason))


def all_refusals(counts: Mapping[str, int]) -> list[Refusal]:
    """The same with those that were looked for and not met."""
    return sorted(_refusals(counts), key=lambda refusal: (refusal.source, refusal.reason))


def _refusals(counts: Mapping[str, int]) -> Iterator[Refusal]:
    for name, rows in counts.items():
        match name.split("."):
            case ["refused", reason]:
                yield Refusal(_ENROLMENTS, reason, rows)
            case ["refused", source, reason]:
                yield Refusal(source, reason, rows)


def duration(run: RunRecord) -> float | None:
    """Seconds from start to end; None while the run has no end."""
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None
