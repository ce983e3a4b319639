"""The record of a run, as the ledger keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.targets import AGGREGATE_TABLES

RUNNING, APPLYING, SUCCEEDED, DRY_RUN = "running", "applying", "succeeded", "dry_run"
SUPERSEDED, STOPPED, FAILED, INTERRUPTED, LOST = "superseded", "stopped", "failed", "interrupted", "lost"
STATUSES = (RUNNING, APPLYING, SUCCEEDED, DRY_RUN, SUPERSEDED, STOPPED, FAILED, INTERRUPTED, LOST)
# What RunRecord.command says; that of a backfill begins with its word.
RUN, INCREMENTAL, CHANGED, VERIFY, ERASE = "run", "run --incremental", "run --changed", "verify", "erase"
UNIT_OF_GROUPS, UNIT_OF_CONTEXTS = "groups", "contexts"
# How a stored row may differ; what `verify` counts, by table.
MISSING, EXTRA, DIFFERENT = KINDS = ("missing", "extra", "different")
DIFFERING_SUMS = "differing_sums"  # a count that `verify --published` alone has
SAMPLED = "sampled"  # millionths of the contexts and groups that `verify --sample` compared

_UNFINISHED = (APPLYING, FAILED, INTERRUPTED, LOST)
_UNDER_WAY = (RUNNING, APPLYING)
_NUMBER = re.compile(r"^\d+ ")
_NEWER = "newer."
FOUND = "scope.learners_found"  # a count of the ids named that a source, or of an erase a stored row, has
UNKEPT = "erase.ids_not_kept"  # a count of an erase that writes, and has not kept whom it is of
HELD = "held"  # a count of entries that hold what another writer has set, although a run has written them


@dataclass(frozen=True)
class RunRecord:
    """One run. `counts` have dotted names (refused.missing_hierarchy), `phases` are seconds by name, in their order.

    `started_at` is when it held the lease. `staged` says that its changes are there to be applied, `began_writing`
    that some of them may have been. `definitions` is the digest of what it computed by. `unit` is that of a backfill,
    whose units share one staging directory. When it succeeds, what the dead runs of `settles` left is put right.
    """

    run_id: str
    command: str
    status: str
    staged: bool
    as_of: datetime
    sequence: int
    scope: Scope
    started_at: datetime
    finished_at: datetime | None
    staging_dir: str
    counts: dict[str, int]
    phases: dict[str, float]
    settings_digest: str
    code_version: str
    message: str
    definitions: str = ""
    began_writing: bool = False
    unit: str = ""
    settles: frozenset[str] = frozenset()

    @property
    def called(self) -> str:
        """What was called: of a backfill without the digest of its file."""
        return self.command.partition("@")[0]

    @property
    def write_time(self) -> int:
        """The timestamp of every cell that the run writes, in microseconds; a resume keeps it."""
        return epoch_milliseconds(self.as_of) * 1000 + self.sequence

    @property
    def is_limited(self) -> bool:
        """Whether limits could stop it: not an erase, nor a verification that repaired nothing."""
        return self.command != ERASE and not (self.command == VERIFY and self.status == DRY_RUN)

    @property
    def is_half_written(self) -> bool:
        """Whether it has written, and not everything was acknowledged, whatever became of it."""
        return self.began_writing and self.status != SUCCEEDED

    @property
    def is_resumable(self) -> bool:
        """Whether its changes are staged and were not all applied. What an erase does is not all staged."""
        return self.staged and self.began_writing and self.status in _UNFINISHED and self.command != ERASE

    @property
    def is_success_of_all(self) -> bool:
        """Whether it has brought all rows up to date."""
        return self.status == SUCCEEDED and self.scope.is_full and self.command in (RUN, INCREMENTAL, VERIFY)

    @property
    def is_full_success(self) -> bool:
        """Whether it has read everything, and brought all rows up to date."""
        return self.is_success_of_all and self.command != INCREMENTAL

    @property
    def is_under_way(self) -> bool:
        """Whether it was still at work when it last wrote its record."""
        return self.status in _UNDER_WAY

    @property
    def left_newer(self) -> int:
        """How many stored entries it left as they were: newer than its snapshot, by their dates or by the store."""
        return sum(count for name, count in self.counts.items() if name.startswith(_NEWER) or name == HELD)


def counted(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Those of the counts that are of a kind, by what they are of.

    >>> counted({"read.enrolments": 20, "written": 3}, "read")
    {'enrolments': 20}
    """
    return {name.removeprefix(f"{kind}."): number for name, number in counts.items() if name.startswith(f"{kind}.")}


def retracted_rows(counts: Mapping[str, int]) -> int:
    """Of the rows of aggregates, which `written` counts, those that cease to be the job's."""
    return sum(counts.get(f"retracted.{table.name}", 0) for table in AGGREGATE_TABLES)


COLUMNS = [field.name for field in fields(RunRecord)]


def to_columns(run: RunRecord) -> dict[str, Any]:
    """The values of the `COLUMNS`, in their order."""
    stored = {"scope": run.scope.to_json(), "phases": _numbered(run.phases), "settles": set(run.settles)}
    return {name: getattr(run, name) for name in COLUMNS} | stored


def from_columns(values: Mapping[str, Any]) -> RunRecord:
    """A record as it is stored, also by an earlier version: its runs have written when their changes were staged."""
    is_old = values["began_writing"] is None
    return RunRecord(
        **{**values, "definitions": values["definitions"] or "", "unit": values["unit"] or ""}
        | {
            "scope": Scope.from_json(values["scope"]),
            "as_of": _aware(values["as_of"]),
            "started_at": _aware(values["started_at"]),
            "finished_at": _aware(values["finished_at"]),
            "counts": dict(values["counts"] or {}),
            "phases": _in_order(values["phases"] or {}),
            "began_writing": _began_writing_before(values) if is_old else values["began_writing"],
            "settles": frozenset(values["settles"] or ()),
        }
    )


def _began_writing_before(values: Mapping[str, Any]) -> bool:
    is_dead_erase = values["command"] == ERASE and values["status"] in _UNFINISHED
    return bool(values["staged"]) or is_dead_erase


def _numbered(phases: Mapping[str, float]) -> dict[str, float]:
    """Phases under names that sort in their order, which a map of the store would lose.

    >>> _numbered({"start Spark": 4.4, "read enrolments": 20.8})
    {'01 start Spark': 4.4, '02 read enrolments': 20.8}
    """
    return {f"{number:02d} {name}": seconds for number, (name, seconds) in enumerate(phases.items(), 1)}


def _in_order(stored: Mapping[str, float]) -> dict[str, float]:
    return {_NUMBER.sub("", name): seconds for name, seconds in sorted(stored.items())}


def _aware(instant: datetime | None) -> Any:
    return instant.replace(tzinfo=UTC) if instant else None
