"""The ledger: a record of every run, by which later runs know their place in the order."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from cassandra.cluster import Session

from activity_aggregates.errors import CheckFailed
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.erased import Erased

RUNNING, APPLYING, SUCCEEDED, DRY_RUN = "running", "applying", "succeeded", "dry_run"
SUPERSEDED, STOPPED, FAILED, INTERRUPTED, LOST = "superseded", "stopped", "failed", "interrupted", "lost"
STATUSES = (RUNNING, APPLYING, SUCCEEDED, DRY_RUN, SUPERSEDED, STOPPED, FAILED, INTERRUPTED, LOST)
RUN, INCREMENTAL = "run", "run --incremental"  # what RunRecord.command says of a run that computes all, and of others
_UNFINISHED = (APPLYING, FAILED, INTERRUPTED, LOST)
_UNDER_WAY = (RUNNING, APPLYING)
_RUNS_PER_AS_OF = 1000  # a write time is as_of in microseconds plus the number of such a run
_YEARS_BACK = 20
_DAY = timedelta(days=1)
_LOOKED_AT = 1000  # runs; an older one that is still under way in the ledger stays so
_NUMBER = re.compile(r"^\d+ ")
_FETCH_SIZE = 100  # most questions are answered by the newest few


@dataclass(frozen=True)
class RunRecord:
    """One run. `counts` have dotted names (refused.missing_hierarchy), `phases` are seconds by name, in their order."""

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

    @property
    def write_time(self) -> int:
        """The timestamp of every cell that the run writes, in microseconds; a resume keeps it."""
        return epoch_milliseconds(self.as_of) * 1000 + self.sequence

    @property
    def is_resumable(self) -> bool:
        """Whether its changes are staged and were not all applied."""
        return self.staged and self.status in _UNFINISHED

    @property
    def is_full_success(self) -> bool:
        """Whether it has brought all rows up to date."""
        return self.status == SUCCEEDED and self.scope.is_full

    @property
    def is_under_way(self) -> bool:
        """Whether it was still at work when it last wrote its record."""
        return self.status in _UNDER_WAY


_COLUMNS = [field.name for field in fields(RunRecord)]


def new_run_id(started_at: datetime) -> str:
    """An id that sorts by time and can be read: 20260131T060000Z-3f9a2c."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class Ledger:
    """Reads and writes records; a record has one writer, the run itself while it holds its lease."""

    def __init__(self, session: Session, keyspace: str, table: str) -> None:
        self._session = session
        columns = ["year", *_COLUMNS]
        marks = ", ".join("?" for _ in columns)
        self._insert = session.prepare(f"INSERT INTO {keyspace}.{table} ({', '.join(columns)}) VALUES ({marks})")
        self._of_year = session.prepare(f"SELECT {', '.join(_COLUMNS)} FROM {keyspace}.{table} WHERE year = ?")
        self._insert.is_idempotent = self._of_year.is_idempotent = True
        self._of_year.fetch_size = _FETCH_SIZE

    def save(self, run: RunRecord) -> None:
        """Write the whole record."""
        stored = {"scope": run.scope.to_json(), "phases": _numbered(run.phases)}
        values = {name: getattr(run, name) for name in _COLUMNS} | stored
        self._session.execute(self._insert, {"year": run.started_at.year, **values})

    def recent(self, limit: int) -> list[RunRecord]:
        """The newest runs by start, newest first."""
        return [run for _, run in zip(range(limit), self._runs(), strict=False)]

    def latest(self) -> RunRecord | None:
        """The run that started last."""
        return next(self._runs(), None)

    def get(self, run_id: str) -> RunRecord | None:
        """The run of this id."""
        return next((run for run in self._runs() if run.run_id == run_id), None)

    def of_command(self, command: str) -> list[RunRecord]:
        """All runs of a command, oldest first."""
        return [run for run in self._runs() if run.command == command][::-1]

    def until(self, run: RunRecord, limit: int) -> list[RunRecord]:
        """A run and those that started before it, newest first."""
        return list(islice((each for each in self._runs() if each.started_at <= run.started_at), limit))

    def last_ended(self) -> RunRecord | None:
        """The newest run that is not under way and was to write."""
        return next((run for run in self._runs() if not run.is_under_way and run.status != DRY_RUN), None)

    def unfinished(self) -> list[RunRecord]:
        """Runs that stopped while they applied their changes, newest first, up to the last full success."""
        return [run for run in self.incomplete() if run.is_resumable]

    def incomplete(self) -> list[RunRecord]:
        """Runs that may have written a part of their changes only, newest first, up to the last full success.

        One that was resumed, and found itself superseded, is of them and not unfinished.
        """
        since = takewhile(lambda run: not run.is_full_success, self._runs())
        return [run for run in since if run.staged and run.status in (*_UNFINISHED, SUPERSEDED)]

    def mark_lost(self, scope: Scope, now: datetime) -> list[RunRecord]:
        """Mark runs that end no more: they were at work on what the caller now holds the lease of. Returns them."""
        lost = [
            replace(run, status=LOST, finished_at=now, message="it ended without a word, and its lease has expired")
            for run in self.recent(_LOOKED_AT)
            if run.is_under_way and run.scope.intersects(scope)
        ]
        for run in lost:
            self.save(run)
        return lost

    def rename_users(self, erased: Erased) -> None:
        """Put the hash of everybody who was erased in place of the id, where a run's scope named it."""
        for run in self._runs():
            named = frozenset(user for user in run.scope.users if erased.has(user))
            if named:
                users = run.scope.users - named | {erased.hash(user) for user in named}
                self.save(replace(run, scope=replace(run.scope, users=users)))

    def last_as_of(self) -> datetime | None:
        """The greatest as_of of any run."""
        greatest = None
        for run in self._runs():
            if greatest is not None and run.started_at < greatest - _DAY:
                break
            greatest = max(run.as_of, greatest or run.as_of)
        return greatest

    def runs_as_of(self, as_of: datetime) -> int:
        """How many runs have this as_of; raises CheckFailed when there are too many to tell apart by write time."""
        runs = sum(run.as_of == as_of for run in self._since(as_of))
        if runs >= _RUNS_PER_AS_OF:
            raise CheckFailed(f"{runs} runs have as_of {as_of.isoformat()} already: take another one")
        return runs

    def superseding(self, write_time: int, as_of: datetime, scope: Scope) -> RunRecord | None:
        """A run with a later write time, as_of first, that has succeeded over an intersecting scope."""
        newer = (run for run in self._since(as_of) if run.write_time > write_time and run.status == SUCCEEDED)
        return next((run for run in newer if run.scope.intersects(scope)), None)

    def last_success(self) -> RunRecord | None:
        """The newest run that succeeded in full scope."""
        return next((run for run in self._runs() if run.is_full_success), None)

    def last_whole(self) -> RunRecord | None:
        """The newest run that succeeded in full scope and read everything."""
        return next((run for run in self._runs() if run.is_full_success and run.command != INCREMENTAL), None)

    def _runs(self) -> Iterator[RunRecord]:
        """All runs, newest start first."""
        this_year = (datetime.now(UTC) + timedelta(days=1)).year
        for year in range(this_year, this_year - _YEARS_BACK, -1):
            yield from self._year(year)

    def _since(self, as_of: datetime) -> Iterator[RunRecord]:
        """The runs that can have this as_of or a later one, as none is later than its run started, clocks apart."""
        for run in self._runs():
            if run.started_at < as_of - _DAY:
                return
            yield run

    def _year(self, year: int) -> Iterator[RunRecord]:
        for row in self._session.execute(self._of_year, [year]):
            values = row._asdict()
            yield RunRecord(
                **values
                | {
                    "scope": Scope.from_json(values["scope"]),
                    "as_of": _aware(values["as_of"]),
                    "started_at": _aware(values["started_at"]),
                    "finished_at": _aware(values["finished_at"]),
                    "counts": dict(values["counts"] or {}),
                    "phases": _in_order(values["phases"] or {}),
                }
            )


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
