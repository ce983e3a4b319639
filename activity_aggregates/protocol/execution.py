"""A run under way: its record in the ledger, its lease, and what becomes of it however it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import CheckFailed, JobError, Unreachable
from activity_aggregates.interrupts import was_interrupted
from activity_aggregates.protocol import order
from activity_aggregates.protocol.asked import Asked, Unit, unit_of
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.protocol.usual import usual_phases
from activity_aggregates.report.outcome import fault
from activity_aggregates.request.instants import choose_as_of, in_milliseconds, store_clock
from activity_aggregates.request.scope import Scope
from activity_aggregates.selection import selected
from activity_aggregates.store.connection import Connection, translated
from activity_aggregates.store.erased import Erased
from activity_aggregates.store.lease import Lease
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.records import (
    APPLYING,
    FAILED,
    INTERRUPTED,
    STOPPED,
    SUCCEEDED,
    SUPERSEDED,
    RunRecord,
)
from metrics.declarations import Selection

_ONE_MS = timedelta(milliseconds=1)
_CHANGED = "changed."
STAGED = "staged"  # a count of the rows of a unit; of any other run they are those that have changed


class Work(Protocol):
    """What of a run needs Spark and the tables: the order of events is the same whatever does it.

    What is staged is below `staging_dir` of the run's record, a path or URI, and is applied with absolute values, so
    again and again.
    """

    def guarded(self) -> AbstractContextManager[None]:
        """What goes wrong in the block with the sources, the store or Spark becomes one of the family of errors."""

    def start(self, execution: Execution) -> None:
        """Be ready to work; raises BadRequest for a staging directory that cannot be used."""

    def stop(self) -> None:
        """Have nothing of this process write any more."""

    def definitions(self, execution: Execution) -> str:
        """The digest of what it computes by, as the sources are found."""

    def create_directory(self, execution: Execution) -> str:
        """Make the staging directory of a run, and return it."""

    def stage(self, execution: Execution, asked: Asked) -> None:
        """Compute, compare and stage; raises CheckFailed at a limit."""

    def units(self, execution: Execution) -> dict[Unit, dict[str, int]]:
        """The units of what is staged, with the counts of their rows; that of the group rows is last, and always there.

        `STAGED` is how many rows there are to be written.
        """

    def rows_of(self, execution: Execution, unit: Unit | None) -> int:
        """How many staged rows are there to be written, of one unit only where it is given."""

    def announce(self, execution: Execution, unit: Unit | None) -> None:
        """Tell whoever wants to know what the staged rows, of one unit only where it is given, will say."""

    def apply(self, execution: Execution, unit: Unit | None) -> None:
        """Write every staged row, of one unit only where it is given; raises Unreachable where not all arrived."""

    def show(self, execution: Execution, out: Path | None = None) -> None:
        """Print what would change, and write all of it to a file."""

    def tidy(self, execution: Execution) -> None:
        """Delete what nobody needs after the rows were written."""


def now_in_ms(clock: Clock = MACHINE) -> datetime:
    """The clock, in the milliseconds that Cassandra keeps."""
    return in_milliseconds(clock.now())


@dataclass
class Execution:
    """One run under its lease.

    `counts` fills up on the way and goes into the record with every `save`. One that `is_dry` writes neither rows nor
    quarantine.
    """

    settings: settings.Settings
    connection: Connection
    session: Session
    ledger: Ledger
    lease: Lease
    steps: Steps
    record: RunRecord
    erased: Erased
    work: Work
    clock: Clock = MACHINE
    counts: dict[str, int] = field(default_factory=dict)
    is_dry: bool = False
    goes_on: bool = field(default=False, init=False)  # writing what it, or a process before this one, has begun to

    @property
    def selection(self) -> Selection:
        """The metrics that are on."""
        return selected(self.settings)

    def save(self, **changes: Any) -> None:
        """Write the record, with `changes` to its fields, the counts and the phases so far."""
        self.record = replace(self.record, counts=dict(self.counts), phases=dict(self.steps.seconds), **changes)
        self.ledger.save(self.record)

    def end(self, status: str, message: str = "") -> None:
        """Write the record of a run that has ended."""
        self.save(status=status, message=message, finished_at=now_in_ms(self.clock))

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
        self.work.stop()  # before the lease is freed: a task may be writing
        self._end_early(INTERRUPTED, "it was interrupted")
        if self.record.is_resumable:
            self.steps.say(f"run {self.record.run_id} can be finished with --resume last")

    def _end_failed(self, error: Exception) -> None:
        if isinstance(error, JobError):
            self._end_early(STOPPED if isinstance(error, CheckFailed) else FAILED, str(error))
        else:
            self._end_early(FAILED, fault(error))

    def _end_early(self, status: str, message: str) -> None:
        if self.record.finished_at is not None:
            return  # what fails after the end, while tidying up, takes nothing back
        try:
            with translated():
                if self.lease.is_held or self._is_still_under_way():
                    self.end(status, message)
        except JobError as error:  # the store is gone: the record stays as it was, and a later run marks it as lost
            logging.getLogger(__name__).warning("the ledger could not be told that the run was %s: %s", status, error)

    def _is_still_under_way(self) -> bool:
        """Whether nobody who has the lease now has dealt with this run meanwhile."""
        stored = self.ledger.get(self.record.run_id)
        return stored is None or stored.is_under_way

    def begin(self, as_of: datetime | None) -> bool:
        """Take the snapshot time and the place in the order, and begin the record; False where it is superseded."""
        runs = self.others()
        self.steps.usual = usual_phases(runs, self.record, is_dry=self.is_dry)
        last = max((run.as_of for run in runs), default=None)
        clock = store_clock(self.session)
        chosen = choose_as_of(as_of, now_in_ms(self.clock), last, clock, self.settings.limits.clock_skew)
        is_newest = last is None or chosen > last
        self.record = replace(self.record, as_of=chosen, sequence=0 if is_newest else self.ledger.runs_as_of(chosen))
        if order.is_erase_unfinished(runs):
            self.counts[order.DEAD_ERASE] = 1
        self.save()
        return is_newest or not self.is_superseded()

    @cached_property
    def reads_back(self) -> bool:
        """Whether it looks at all that it has written: others may have won over the job's entries, or have before."""
        others = self.others()
        is_late = self.goes_on or order.is_of_earlier_instant(self.record, others)
        return is_late or order.left_held(others)

    def others(self) -> list[RunRecord]:
        """The runs that its place in the order is known from."""
        return [run for run in self.ledger.history() if run.run_id != self.record.run_id]

    def present(self) -> order.Present:
        """What runs compute by now, as its sources are found."""
        return order.Present(self.work.definitions(self), self.record.code_version, self.erased.newest)

    def is_superseded(self) -> bool:
        """Whether a run with a later as_of has written over an intersecting scope; then this one writes nothing."""
        written = written_scope(self.record.scope, self.settings.sources)
        newer = order.superseding(self.record, written, self.ledger.since(self.record.as_of))
        if newer is None:
            return False
        self.end_superseded(f"superseded by run {newer.run_id} with as_of {newer.as_of.isoformat()}")
        return True

    def end_superseded(self, why: str) -> None:
        if self.record.began_writing:  # what was acknowledged then is not known any more
            message = f"{why}: nothing more was written"
        else:
            self.counts["written"] = 0
            message = f"{why}: nothing was written"
        self.end(SUPERSEDED, message)
        print(message)

    def write(self, unit: Unit | None = None) -> None:
        """Write what is staged, and end as succeeded.

        The record says that the run writes before its first write; what will be written is told of before that. Until
        everything is acknowledged tasks may be writing whatever becomes of this process, so then its lease is left to
        expire.
        """
        self.lease.check()
        self.goes_on = self.record.began_writing
        if not self.goes_on:
            self.work.announce(self, unit)
            self.lease.check()
        self.save(status=APPLYING, staged=True, began_writing=self.has_changes, finished_at=None)
        with self.lease.written_under():
            self.work.apply(self, unit)
        self.end(SUCCEEDED, self.record.message)

    @property
    def has_changes(self) -> bool:
        """Whether anything is staged that is to be written."""
        changed = self._changed()
        return not changed or any(changed)

    @property
    def staged_rows(self) -> int:
        """How many rows are to be written, as they were counted when they were staged."""
        return self.counts.get(STAGED, sum(self._changed()))

    @property
    def is_staged(self) -> bool:
        """Whether all that is to be written is still there."""
        return self.work.rows_of(self, unit_of(self.record)) == self.staged_rows

    def gone(self) -> Unreachable:
        """What there is to say where it is not."""
        return Unreachable(
            f"{self.staged_rows} rows were staged in {self.record.staging_dir}, which are gone, or some of them: run "
            "again, with a staging.dir that nobody else uses"
        )

    def _changed(self) -> list[int]:
        return [rows for name, rows in self.counts.items() if name.startswith(_CHANGED)]


def later_start(clock: Clock, latest: RunRecord | None) -> datetime:
    """When a run begins that holds the lease: later than all before it, whatever their machines' clocks were."""
    now = now_in_ms(clock)
    return now if latest is None else max(now, latest.started_at + _ONE_MS)


def written_scope(scope: Scope, sources: settings.Sources) -> Scope:
    """What a run may write: with groups, a run of some contexts writes group rows of all contexts."""
    return replace(scope, contexts=frozenset()) if has_groups(sources) else scope


def has_groups(sources: settings.Sources) -> bool:
    return sources.groups is not None and sources.group_members is not None
