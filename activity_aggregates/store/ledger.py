"""The ledger: a record of every run, by which later runs know their place in the order."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from cassandra.cluster import Session

from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import CheckFailed
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import RECORDED_IDS
from activity_aggregates.store.connection import prepared_reading, reading
from activity_aggregates.store.records import (
    APPLYING,
    COLUMNS,
    DRY_RUN,
    FAILED,
    INCREMENTAL,
    INTERRUPTED,
    LOST,
    RUN,
    RUNNING,
    STATUSES,
    STOPPED,
    SUCCEEDED,
    SUPERSEDED,
    RunRecord,
    from_columns,
    to_columns,
)

__all__ = [
    "APPLYING", "DRY_RUN", "FAILED", "INCREMENTAL", "INTERRUPTED", "LOST", "RUN", "RUNNING", "STATUSES", "STOPPED",
    "SUCCEEDED", "SUPERSEDED", "Ledger", "RunRecord", "new_run_id",
]  # fmt: skip
_RUNS_PER_AS_OF = 1000  # a write time is as_of in microseconds plus the number of such a run
_EMPTY_YEARS = 3  # after which there is nothing to come: nobody stops for so long and goes on
_DAY = timedelta(days=1)
_LOOKED_AT = 100  # runs; an older one that is still under way in the ledger stays so
_FETCH_SIZE = 100  # most questions are answered by the newest few


def new_run_id(started_at: datetime) -> str:
    """An id that sorts by time and can be read: 20260131T060000Z-3f9a2c."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class Ledger:
    """Reads and writes records; a record has one writer at a time, who holds the lease."""

    def __init__(self, session: Session, keyspace: str, table: str, clock: Clock = MACHINE) -> None:
        self._session = session
        self._clock = clock
        self._place = f"{keyspace}.{table}"
        self._saved_at: dict[str, int] = {}
        columns = ["year", *COLUMNS]
        marks = ", ".join("?" for _ in columns)
        self._insert = session.prepare(
            f"INSERT INTO {self._place} ({', '.join(columns)}) VALUES ({marks}) USING TIMESTAMP ?"
        )
        self._of_year = prepared_reading(
            session, f"SELECT {', '.join(COLUMNS)}, WRITETIME(status) AS saved_at FROM {self._place} WHERE year = ?"
        )
        self._insert.is_idempotent = True
        self._of_year.fetch_size = _FETCH_SIZE

    def save(self, run: RunRecord) -> None:
        """Write the whole record, later than it was ever saved before, whatever the clock of that machine was."""
        saved_at = max(epoch_milliseconds(self._clock.now()) * 1000, self._saved_at.get(run.run_id, 0) + 1)
        values = {"year": run.started_at.year, **to_columns(run)}
        self._session.execute(self._insert, [*values.values(), saved_at])
        self._saved_at[run.run_id] = saved_at

    def recent(self, limit: int) -> list[RunRecord]:
        """The newest runs by start, newest first."""
        return list(islice(self.newest_first(), limit))

    def latest(self) -> RunRecord | None:
        """The run that started last."""
        return next(self.newest_first(), None)

    def get(self, run_id: str) -> RunRecord | None:
        """The run of this id."""
        return next((run for run in self.newest_first() if run.run_id == run_id), None)

    def of_command(self, command: str) -> list[RunRecord]:
        """All runs of a command, oldest first."""
        return [run for run in self.newest_first() if run.command == command][::-1]

    def until(self, run: RunRecord, limit: int) -> list[RunRecord]:
        """A run and those that started before it, newest first."""
        return list(islice((each for each in self.newest_first() if each.started_at <= run.started_at), limit))

    def last_success(self) -> RunRecord | None:
        """The newest run that has brought all rows up to date."""
        return next((run for run in self.newest_first() if run.is_success_of_all), None)

    def last_full_success(self) -> RunRecord | None:
        """The newest run that has read everything."""
        return next((run for run in self.newest_first() if run.is_full_success), None)

    def history(self, before: RunRecord | None = None) -> list[RunRecord]:
        """The runs back to the last full success, newest start first: what the `order` of runs is known from.

        A run of an earlier start may have a later write time, but not by more than its clock was ahead; such a one is
        in it, too. `before` asks for what this run knew when it started, itself left out.
        """
        found: list[RunRecord] = []
        until = None
        for run in self.newest_first():
            if before is not None and (run.run_id == before.run_id or run.started_at > before.started_at):
                continue
            if until is not None and run.started_at < until:
                break
            found.append(run)
            if until is None and run.is_full_success:
                until = min(run.as_of, run.started_at) - _DAY
        return found

    def mark_lost(self, now: datetime, check: Callable[[], None]) -> RunRecord | None:
        """Mark runs that end no more: they were at work when the caller's lease was free to be taken.

        Returns the run that started last. `check` raises where the caller has lost its lease meanwhile: what it has
        read may then be the record of a run that is alive.
        """
        recent = self.recent(_LOOKED_AT)
        message = "it ended without a word, and its lease has expired"
        for run in recent:
            if run.is_under_way:
                check()
                self.save(replace(run, status=LOST, finished_at=now, message=message))
        return recent[0] if recent else None

    def seal_scopes(self) -> int:
        """Take the learners' ids out of scopes that earlier versions recorded; returns from how many."""
        query = f"SELECT year, started_at, run_id, scope FROM {self._place}"
        named = [row for row in self._session.execute(reading(query)) if row.scope and f'"{RECORDED_IDS}"' in row.scope]
        for row in named:
            run = next(run for run in self._year(row.year) if run.run_id == row.run_id)
            self.save(run)
        return len(named)

    def runs_as_of(self, as_of: datetime) -> int:
        """How many runs have this as_of; raises CheckFailed when there are too many to tell apart by write time."""
        runs = sum(run.as_of == as_of for run in self.since(as_of))
        if runs >= _RUNS_PER_AS_OF:
            raise CheckFailed(f"{runs} runs have as_of {as_of.isoformat()} already: take another one")
        return runs

    def since(self, as_of: datetime) -> Iterator[RunRecord]:
        """The runs that can have this as_of or a later one, as none is later than its run started, clocks apart."""
        for run in self.newest_first():
            if run.started_at < as_of - _DAY:
                return
            yield run

    def newest_first(self) -> Iterator[RunRecord]:
        """All runs, newest start first, read as far as the caller goes."""
        year, empty = (self._clock.now() + _DAY).year, 0
        while empty < _EMPTY_YEARS:
            empty += 1
            for run in self._year(year):
                yield run
                empty = 0
            year -= 1

    def _year(self, year: int) -> Iterator[RunRecord]:
        for row in self._session.execute(self._of_year, [year]):
            values = row._asdict()
            self._saved_at[values["run_id"]] = max(values.pop("saved_at") or 0, self._saved_at.get(values["run_id"], 0))
            yield from_columns(values)
