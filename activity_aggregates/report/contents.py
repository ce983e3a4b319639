"""What the report of a run says, as values: the page and the JSON show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from activity_aggregates import settings
from activity_aggregates.changes.staged import ChangedRow
from activity_aggregates.report.days import Day
from activity_aggregates.report.limits import Limit, Refusal, limit_of_refused, limits_of_changes, refusals_in
from activity_aggregates.report.names import Activity
from activity_aggregates.report.standing import Standing
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.targets import TargetTable

ENROLLED, COMPLETED = "enrolled.activity_agg", "completed.activity_agg"


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
class LargestChanges:
    """The rows of a table that changed most."""

    table: TargetTable
    rows: tuple[ChangedRow, ...]

    def activity(self, row: ChangedRow) -> Activity:
        """Type and id of the activity that a row is about."""
        key = dict(zip(self.table.key, row.key, strict=True))
        return key["activity_type"], key["activity_id"]


@dataclass(frozen=True)
class Report:
    """One run in full. `history` is it and the runs before it, newest first; `changes` is None where they are gone.

    `full_runs` are those that succeeded, also before the history begins. `days` is None where the family `dates` is
    off. `names` are those of the activities in `changes`. What it says of courses, quizzes and days is what is stored
    when it is `written_at`.
    """

    run: RunRecord
    written_at: datetime
    changes: tuple[LargestChanges, ...] | None
    names: Mapping[Activity, str]
    limits: tuple[Limit, ...]
    standing: Standing
    days: tuple[Day, ...] | None
    history: tuple[RunRecord, ...]
    full_runs: tuple[RunRecord, ...]


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
    found = [refusal for refusal in refusals_in(counts) if refusal.rows]
    return sorted(found, key=lambda refusal: (-refusal.rows, refusal.source, refusal.reason))


def all_refusals(counts: Mapping[str, int]) -> list[Refusal]:
    """The same with those that were looked for and not met."""
    return sorted(refusals_in(counts), key=lambda refusal: (refusal.source, refusal.reason))


def duration(run: RunRecord) -> float | None:
    """Seconds from start to end; None while the run has no end."""
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None


def limits_beside(
    counts: Mapping[str, int], limits: settings.Limits, counted_before: int, sizes: Mapping[str, int]
) -> tuple[Limit, ...]:
    """The limits that a run came to, each with its share, as they are set now.

    `counted_before` are the enrolments of the last full run, `sizes` the rows of the tables before the run.
    """
    of_refused = [limit_of_refused(counts, limits, counted_before)] if "read.enrolments" in counts else []
    return *of_refused, *limits_of_changes(counts, limits, sizes)


def by_command(history: Sequence[RunRecord], most_commands: int, most_runs: int) -> dict[str, list[RunRecord]]:
    """The newest runs of each command, oldest first, those of most runs first; a backfill without its record.

    >>> from types import SimpleNamespace as Run
    >>> history = [Run(command="verify", at=3), Run(command="run", at=2), Run(command="run", at=1)]
    >>> {command: [run.at for run in runs] for command, runs in by_command(history, 2, 2).items()}
    {'run': [1, 2], 'verify': [3]}
    """
    found: dict[str, list[RunRecord]] = {}
    for run in history:
        found.setdefault(run.command.partition(" ")[0] if "@" in run.command else run.command, []).append(run)
    largest = sorted(found, key=lambda command: -len(found[command]))[:most_commands]
    return {command: found[command][:most_runs][::-1] for command in largest}
