"""A run under way: its record in the ledger, its lease, and what becomes of it however it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.errors import CheckFailed, JobError
from activity_aggregates.interrupts import was_interrupted
from activity_aggregates.request.instants import choose_as_of, in_milliseconds, store_clock
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.steps import Steps
from activity_aggregates.spark.session import stop_spark
from activity_aggregates.store.connection import Connection, translated
from activity_aggregates.store.erased import Erased
from activity_aggregates.store.lease import Lease
from activity_aggregates.store.ledger import FAILED, INTERRUPTED, STOPPED, SUPERSEDED, Ledger, RunRecord


def now_in_ms() -> datetime:
    """The clock, in the milliseconds that Cassandra keeps."""
    return in_milliseconds(datetime.now(UTC))


@dataclass
class Execution:
    """One run that holds its lease, over the scope `written`.

    `counts` fills up on the way and goes into the record with every `save`.
    """

    settings: settings.Settings
    connection: Connection
    session: Session
    ledger: Ledger
    lease: Lease
    written: Scope
    steps: Steps
    record: RunRecord
    erased: Erased
    counts: dict[str, int] = field(default_factory=dict)

    def save(self, **changes: Any) -> None:
        """Write the record, with `changes` to its fields, the counts and the phases so far."""
        self.record = replace(self.record, counts=dict(self.counts), phases=dict(self.steps.seconds), **changes)
        self.ledger.save(self.record)

    def end(self, status: str, message: str = "") -> None:
        """Write the record of a run that has ended."""
        self.save(status=status, message=message, finished_at=now_in_ms())

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Whatever ends the block too early becomes the record's status; the error itself goes on."""
        try:
            yield
        except Exception as error:
            if was_interrupted():  # the call that was cut off failed in its own way
                self._end_interrupted()
                raise KeyboardInterrupt from error
            self._end_failed(error)
            raise
        except KeyboardInterrupt:
            self._end_interrupted()
            raise

    def _end_interrupted(self) -> None:
        if self.steps.spark is not None:
            stop_spark(self.steps.spark)  # before the lease is released: a task may be writing
        self._end_early(INTERRUPTED, "it was interrupted")
        if self.record.staged:
            self.steps.say(f"run {self.record.run_id} can be finished with --resume last")

    def _end_failed(self, error: Exception) -> None:
        if isinstance(error, JobError):
            self._end_early(STOPPED if isinstance(error, CheckFailed) else FAILED, str(error))
        else:
            self._end_early(FAILED, f"{type(error).__name__}: {error}"[:2000])

    def _end_early(self, status: str, message: str) -> None:
        if self.record.finished_at is not None:
            return  # what fails after the end, while tidying up, takes nothing back
        try:
            with translated():
                self.end(status, message)
        except JobError as error:  # the store is gone: the record stays as it was, and a later run marks it as lost
            logging.getLogger(__name__).warning("the ledger could not be told that the run was %s: %s", status, error)

    def choose_as_of(self, given: datetime | None) -> None:
        """Take the snapshot time and the place in its order, and begin the record."""
        limits = self.settings.limits
        clock = store_clock(self.session)
        as_of = choose_as_of(given, now_in_ms(), self.ledger.last_as_of(), clock, limits.clock_skew)
        self.record = replace(self.record, as_of=as_of, sequence=self.ledger.runs_as_of(as_of))
        self.save()

    def is_superseded(self) -> bool:
        """Whether a run with a later as_of has succeeded over an intersecting scope; then this one writes nothing."""
        newer = self.ledger.superseding(self.record.write_time, self.record.as_of, self.written)
        if newer is None:
            return False
        self.counts["written"] = 0
        message = f"superseded by run {newer.run_id} with as_of {newer.as_of.isoformat()}: nothing was written"
        self.end(SUPERSEDED, message)
        print(message)
        return True


def written_scope(scope: Scope, sources: settings.Sources) -> Scope:
    """What a run may write: with groups, a run of some contexts writes group rows of all contexts."""
    return replace(scope, contexts=frozenset()) if has_groups(sources) else scope


def has_groups(sources: settings.Sources) -> bool:
    return sources.groups is not None and sources.group_members is not None
