"""The lease: intersecting runs never overlap.

All live leases are rows of one partition, which only lightweight transactions change: a static `version` orders them,
and a run enters its row on the condition that no other has entered since it looked. A row lives for `ttl` seconds; a
heartbeat renews it, and a dead run's row expires. Whoever writes can ask the store itself how long a lease has left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cassandra import ConsistencyLevel, OperationTimedOut, WriteTimeout
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from activity_aggregates.errors import JobError, Unreachable
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.connection import translated

_NAME = "runs"
_POLL_SECONDS = 1.0
_RACES = 50


@dataclass(frozen=True)
class HeldBy:
    """The run that stands in the way."""

    run_id: str
    scope: Scope
    seconds_left: int


@dataclass(frozen=True)
class LeaseTicket:
    """What a writer elsewhere needs to ask whether the lease still lives."""

    keyspace: str
    table: str
    run_id: str
    ttl: int

    def seconds_left(self, session: Session) -> float:
        """Seconds until the lease expires unless it is renewed, counted from the question on; 0.0 when it is gone."""
        asked = time.monotonic()
        query = f"SELECT TTL(scope) AS ttl FROM {self.keyspace}.{self.table} WHERE name = %s AND run_id = %s"
        row = session.execute(_serial(query), [_NAME, self.run_id]).one()
        return max(0.0, row.ttl - (time.monotonic() - asked)) if row and row.ttl else 0.0


class Lease:
    """A lease that is held and kept by a heartbeat, until it is released."""

    def __init__(self, session: Session, ticket: LeaseTicket, scope_text: str, deadline: float) -> None:
        self.ticket = ticket
        self._session = session
        self._scope_text = scope_text
        self._deadline = deadline
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)

    def check(self) -> None:
        """Raise Unreachable when the lease is lost: from then on another run may be writing."""
        if time.monotonic() >= self._deadline:
            raise Unreachable(
                f"the lease of run {self.ticket.run_id} was lost, because Cassandra did not renew it within "
                f"{self.ticket.ttl} s: check the cluster, then finish the run with --resume last or run again"
            )

    def start(self) -> None:
        self._heart.start()

    def release(self) -> None:
        """Stop the heartbeat and free the lease; what cannot be freed now expires."""
        self._ended.set()
        self._heart.join()
        table = f"{self.ticket.keyspace}.{self.ticket.table}"
        with suppress(JobError), translated():
            delete = f"DELETE FROM {table} WHERE name = %s AND run_id = %s IF EXISTS"
            self._session.execute(delete, [_NAME, self.ticket.run_id])

    def _beat(self) -> None:
        while not self._ended.wait(self.ticket.ttl / 3):
            asked = time.monotonic()
            with suppress(JobError), translated():
                if not self._renewed():
                    self._deadline = asked  # someone removed the row: the lease is no longer ours
                    return
                self._deadline = asked + self.ticket.ttl

    def _renewed(self) -> bool:
        table = f"{self.ticket.keyspace}.{self.ticket.table}"
        update = (
            f"UPDATE {table} USING TTL {self.ticket.ttl} SET scope = %s, acquired_at = %s "
            "WHERE name = %s AND run_id = %s IF EXISTS"
        )
        values = [self._scope_text, datetime.now(UTC), _NAME, self.ticket.run_id]
        return bool(self._session.execute(update, values).was_applied)


@contextmanager
def held(
    session: Session, ticket: LeaseTicket, scope: Scope, *, wait: float, on_wait: Callable[[HeldBy], None]
) -> Iterator[Lease | HeldBy]:
    """The lease for the block, or who holds it after `wait` seconds.

    Who resumes a run may find that run's own lease, of a process that died. It is waited for as long as nobody renews
    it, whatever `wait` says: that ends within its time to live. `on_wait` is called once, when the waiting begins.
    """
    give_up = time.monotonic() + wait
    expires_at = 0.0
    before: HeldBy | None = None
    while isinstance(found := _acquired(session, ticket, scope), HeldBy):
        is_renewed = before is not None and found.seconds_left > before.seconds_left
        if before is None:
            expires_at = time.monotonic() + found.seconds_left + 2 * _POLL_SECONDS
        is_expiring = found.run_id == ticket.run_id and not is_renewed and time.monotonic() < expires_at
        if not is_expiring and time.monotonic() >= give_up:
            yield found
            return
        if before is None:
            on_wait(found)
        before = found
        time.sleep(_POLL_SECONDS)
    found.start()
    try:
        yield found
    finally:
        found.release()


def _acquired(session: Session, ticket: LeaseTicket, scope: Scope) -> Lease | HeldBy:
    for _ in range(_RACES):
        version, holder = _look(session, ticket, scope)
        if holder is not None:
            return holder
        asked = time.monotonic()
        if _entered(session, ticket, scope, version):
            return Lease(session, ticket, scope.to_json(), asked + ticket.ttl)
    raise Unreachable(
        f"the lease in {ticket.keyspace}.{ticket.table} could not be taken in {_RACES} attempts: try again"
    )


def _look(session: Session, ticket: LeaseTicket, scope: Scope) -> tuple[int | None, HeldBy | None]:
    """The partition's version, and a live run whose scope intersects."""
    query = f"SELECT version, run_id, scope, TTL(scope) AS ttl FROM {ticket.keyspace}.{ticket.table} WHERE name = %s"
    version = None
    for row in session.execute(_serial(query), [_NAME]):
        version = row.version
        if row.scope is not None and scope.intersects(Scope.from_json(row.scope)):
            return version, HeldBy(row.run_id, Scope.from_json(row.scope), row.ttl or 0)
    return version, None


def _entered(session: Session, ticket: LeaseTicket, scope: Scope, version: int | None) -> bool:
    """Enter our row if nobody has entered since `version`. A transaction that timed out is looked up."""
    table = f"{ticket.keyspace}.{ticket.table}"
    batch = (
        "BEGIN BATCH "
        f"UPDATE {table} SET version = %s WHERE name = %s IF version = %s; "
        f"UPDATE {table} USING TTL {ticket.ttl} SET scope = %s, acquired_at = %s WHERE name = %s AND run_id = %s; "
        "APPLY BATCH"
    )
    values = [(version or 0) + 1, _NAME, version, scope.to_json(), datetime.now(UTC), _NAME, ticket.run_id]
    try:
        return bool(session.execute(batch, values).was_applied)
    except (WriteTimeout, OperationTimedOut):
        return ticket.seconds_left(session) > 0


def _serial(query: str) -> SimpleStatement:
    """A read that sees, and completes, every lightweight transaction before it."""
    return SimpleStatement(query, consistency_level=ConsistencyLevel.LOCAL_SERIAL, is_idempotent=True)
