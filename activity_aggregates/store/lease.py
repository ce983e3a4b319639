"""The lease: one run at a time.

A single row, which only lightweight transactions change: it is inserted where it is not there, renewed and deleted by
who holds it, and expires `ttl` seconds after it was last renewed. `holder` is random each time the lease is taken. No
statement is ever sent twice: one that timed out may still be applied, so the row itself is asked what became of it.
Whoever writes stops `margin` seconds before the time that was asked for runs out: by then the last request is through,
and clocks that are not quite right have been allowed for.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.policies import FallthroughRetryPolicy
from cassandra.query import SimpleStatement

from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import JobError, Unreachable
from activity_aggregates.retrying import retried
from activity_aggregates.store.connection import translated

LEASE_TABLE = "aggregate_lease"
POLL_SECONDS = 1.0
_NAME = "runs"
_BEATS_PER_TTL = 6
_SECONDS_TO_ASK = 10.0


@dataclass(frozen=True)
class HeldBy:
    """The run that stands in the way; one without an id has just gone."""

    run_id: str
    seconds_left: int


@dataclass(frozen=True)
class Holder:
    """What the row says."""

    holder: str
    run_id: str
    seconds_left: int


@dataclass(frozen=True)
class LeaseTicket:
    """What a writer elsewhere needs to ask whether the lease still lives."""

    keyspace: str
    table: str
    run_id: str
    ttl: int
    margin: float = 0.0
    consistency: str = "LOCAL_SERIAL"
    holder: str = field(default_factory=lambda: secrets.token_hex(16))

    def seconds_left(self, session: Session, clock: Clock = MACHINE) -> float:
        """Seconds in which it may be written, counted from the question on; 0.0 when the lease is gone."""
        asked = clock.monotonic()
        found = self.look(session)
        if found is None or found.holder != self.holder:
            return 0.0
        return max(0.0, found.seconds_left - self.margin - (clock.monotonic() - asked))

    def look(self, session: Session) -> Holder | None:
        """Who holds it, all transactions before the question included; None where nobody does."""
        query = f"SELECT holder, run_id, TTL(holder) AS seconds_left FROM {self._place} WHERE name = %s"
        row = session.execute(self._statement(query, is_read=True), [_NAME]).one()
        if row is None or row.holder is None:
            return None
        return Holder(row.holder, row.run_id or "", row.seconds_left or 0)

    def insert(self, session: Session, now: datetime) -> bool:
        columns = "(name, holder, run_id, since) VALUES (%s, %s, %s, %s)"
        query = f"INSERT INTO {self._place} {columns} IF NOT EXISTS USING TTL %s"
        return self._applied(session, query, [_NAME, self.holder, self.run_id, now, self.ttl])

    def renew(self, session: Session, now: datetime) -> bool:
        """All columns are set, so that none expires alone; a row that has expired is not revived."""
        query = (
            f"UPDATE {self._place} USING TTL %s SET holder = %s, run_id = %s, since = %s WHERE name = %s IF holder = %s"
        )
        return self._applied(session, query, [self.ttl, self.holder, self.run_id, now, _NAME, self.holder])

    def delete(self, session: Session) -> bool:
        query = f"DELETE FROM {self._place} WHERE name = %s IF holder = %s"
        return self._applied(session, query, [_NAME, self.holder])

    def _applied(self, session: Session, query: str, values: list[Any]) -> bool:
        return bool(session.execute(self._statement(query), values).was_applied)

    def _statement(self, query: str, is_read: bool = False) -> SimpleStatement:
        level = ConsistencyLevel.name_to_value[self.consistency]
        if is_read:
            return SimpleStatement(query, consistency_level=level, is_idempotent=True)
        never_again = FallthroughRetryPolicy()
        return SimpleStatement(query, serial_consistency_level=level, is_idempotent=False, retry_policy=never_again)

    @property
    def _place(self) -> str:
        return f"{self.keyspace}.{self.table}"


class Lease:
    """A lease that is held and kept by a heartbeat, until it is freed, or left to expire."""

    def __init__(self, session: Session, ticket: LeaseTicket, deadline: float, clock: Clock) -> None:
        self.ticket = ticket
        self._session = session
        self._deadline = deadline
        self._clock = clock
        self._ended = threading.Event()
        self._is_written_under = False

    @property
    def is_held(self) -> bool:
        return self._clock.monotonic() < self._deadline

    def check(self) -> None:
        """Raise Unreachable when the lease is lost: from then on another run may be writing."""
        if not self.is_held:
            raise Unreachable(
                f"the lease of run {self.ticket.run_id} was lost, because Cassandra did not renew it within "
                f"{self.ticket.ttl} s: check the cluster, then finish the run with --resume last or run again"
            )

    def beat(self) -> None:
        """Renew it once. What came of a renewal that failed is not asked: the deadline stays as it was."""
        asked = self._clock.monotonic()
        with suppress(JobError), translated():
            is_ours = self.ticket.renew(self._session, self._clock.now())
            # Where the row is gone, or another's, the lease is no longer ours.
            self._deadline = asked + self.ticket.ttl - self.ticket.margin if is_ours else min(asked, self._deadline)

    @contextmanager
    def written_under(self) -> Iterator[None]:
        """The block in which tasks write under this lease.

        Only where it ends without an error is it certain that none of them writes any more; otherwise `free` leaves the
        lease to expire.
        """
        self._is_written_under = True
        yield
        self._is_written_under = False

    def free(self) -> None:
        """Let the next run in at once. Where something may still be writing, and where it fails, it expires."""
        if not self._is_written_under:
            with suppress(JobError), translated():
                self.ticket.delete(self._session)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renewed by a thread for the block."""
        heart = threading.Thread(target=self._beat_on, name="lease", daemon=True)
        heart.start()
        try:
            yield
        finally:
            self._ended.set()
            heart.join()

    def _beat_on(self) -> None:
        while not self._ended.wait(self.ticket.ttl / _BEATS_PER_TTL):
            self.beat()


def safe_margin(ttl: int, clock_skew: float, request_seconds: float) -> float:
    """Seconds before the end of a lease from which nothing is written: the skew, and one request's time.

    A lease that is so short that hardly a third would be left, two heartbeats, is used for half of its time.

    >>> safe_margin(60, 5.0, 30.0), safe_margin(50, 5.0, 30.0)
    (35.0, 25.0)
    """
    margin = clock_skew + request_seconds
    return margin if margin <= ttl * 2 / 3 else ttl / 2


def taken(session: Session, ticket: LeaseTicket, clock: Clock = MACHINE) -> Lease | HeldBy:
    """The lease, which has to be kept from now on, or who holds it."""
    asked = clock.monotonic()
    lost: Unreachable | None = None
    try:
        with translated():
            if ticket.insert(session, clock.now()):
                return Lease(session, ticket, asked + ticket.ttl - ticket.margin, clock)
    except Unreachable as error:
        lost = error
    asked = clock.monotonic()
    found = retried(lambda: _looked(session, ticket), _SECONDS_TO_ASK, clock)
    if found is not None and found.holder == ticket.holder:  # it was applied, and only the answer was lost
        return Lease(session, ticket, asked + (found.seconds_left) - ticket.margin, clock)
    if lost is not None:
        raise lost
    return HeldBy(found.run_id, found.seconds_left) if found is not None else HeldBy("", 0)


def _looked(session: Session, ticket: LeaseTicket) -> Holder | None:
    with translated():
        return ticket.look(session)


def waited_for(
    session: Session,
    ticket: LeaseTicket,
    *,
    wait: float,
    is_over: Callable[[str], bool],
    on_wait: Callable[[HeldBy], None],
    clock: Clock = MACHINE,
) -> Lease | HeldBy:
    """The lease, or who holds it after `wait` seconds.

    The lease of a run that `is_over` was left to expire, as its tasks may live on. It is waited for whatever `wait`
    says, as long as nobody renews it: that ends within its time to live. `on_wait` is called once, when the waiting
    begins.
    """
    give_up = clock.monotonic() + wait
    before: HeldBy | None = None
    expires_at = 0.0
    while isinstance(found := taken(session, ticket, clock), HeldBy):
        is_same = before is not None and found.run_id == before.run_id
        if not is_same:
            expires_at = clock.monotonic() + found.seconds_left + 2 * POLL_SECONDS
        is_renewed = is_same and before is not None and found.seconds_left > before.seconds_left
        is_expiring = not is_renewed and clock.monotonic() < expires_at
        if clock.monotonic() >= give_up and not (is_expiring and (not found.run_id or is_over(found.run_id))):
            return found
        if before is None and found.run_id:
            on_wait(found)
        before = found
        clock.sleep(POLL_SECONDS)
    return found
