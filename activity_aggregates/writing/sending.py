"""Sends batches to Cassandra: a bounded number under way, at a bounded rate, tried again until it takes too long."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from cassandra import RequestValidationException, Unauthorized
from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType, BoundStatement, Statement

from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.retrying import delays, retried
from activity_aggregates.store.connection import translated
from activity_aggregates.store.lease import LeaseTicket


class Pace:
    """Spreads rows over time; a rate of None does not wait."""

    def __init__(self, rows_per_second: float | None) -> None:
        self._seconds_per_row = 1 / rows_per_second if rows_per_second else 0.0
        self._next_at = 0.0

    def wait(self, rows: int) -> None:
        """Return when `rows` may be sent."""
        now = time.monotonic()
        if self._next_at > now:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + rows * self._seconds_per_row


class LeaseWatch:
    """Knows from the store itself that the run's lease lives, and asks again when half of its time has passed.

    The time that it knows of ends before the lease does: a request that is sent in it is through by then.
    """

    def __init__(
        self, ticket: LeaseTicket | None, session: Session, retry_seconds: float, clock: Clock = MACHINE
    ) -> None:
        self._ticket = ticket
        self._session = session
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._ask_at = 0.0

    def check(self) -> None:
        """Raise Unreachable when the lease is gone, for then another run may be writing, or cannot be asked for."""
        ticket = self._ticket
        if ticket is None or self._clock.monotonic() < self._ask_at:
            return
        asked = self._clock.monotonic()
        left = retried(lambda: self._seconds_left(ticket), self._retry_seconds, self._clock)
        if not left:
            raise Unreachable(
                f"the lease of run {ticket.run_id} was lost, another run may be writing: check the cluster"
            )
        self._ask_at = asked + left / 2

    def _seconds_left(self, ticket: LeaseTicket) -> float:
        with translated():
            return ticket.seconds_left(self._session, self._clock)


@dataclass(order=True)
class _Request:
    retry_at: float
    statement: Statement = field(compare=False)
    rows: int = field(compare=False)
    give_up_at: float = field(compare=False)
    delays: Iterator[float] = field(default_factory=delays, compare=False)


class Sender:
    """Keeps up to `in_flight` batches under way and counts what was acknowledged.

    A batch that failed is sent again until `retry_seconds` have passed since its first attempt; then the driver's
    error is raised. Meanwhile it keeps its place among those under way, so a struggling store is not sent more.
    """

    def __init__(self, session: Session, in_flight: int, retry_seconds: float, pace: Pace, lease: LeaseWatch) -> None:
        self.rows = 0
        self.batches = 0
        self.retries = 0
        self._session = session
        self._in_flight = in_flight
        self._retry_seconds = retry_seconds
        self._pace = pace
        self._lease = lease
        self._answers: SimpleQueue[tuple[_Request, Exception | None]] = SimpleQueue()
        self._waiting: list[_Request] = []
        self._under_way = 0

    def send(self, statements: list[BoundStatement]) -> None:
        """Send a batch as soon as there is room; a single statement goes as it is, however large."""
        while self._under_way >= self._in_flight:
            self._settle_one()
        self._under_way += 1
        statement = statements[0] if len(statements) == 1 else _unlogged(statements)
        self._submit(_Request(0.0, statement, len(statements), time.monotonic() + self._retry_seconds))

    def finish(self) -> None:
        """Return when everything is acknowledged."""
        while self._under_way:
            self._settle_one()

    def _submit(self, request: _Request) -> None:
        self._pace.wait(request.rows)
        self._lease.check()
        future = self._session.execute_async(request.statement)
        future.add_callbacks(
            lambda _: self._answers.put((request, None)), lambda error: self._answers.put((request, error))
        )

    def _settle_one(self) -> None:
        """Send the retry that is due, or else wait for an answer, no longer than until the next retry."""
        seconds = self._seconds_to_retry()
        if seconds == 0.0:
            self._submit(heapq.heappop(self._waiting))
            return
        try:
            request, error = self._answers.get(timeout=seconds)
        except Empty:
            return
        if error is None:
            self._under_way -= 1
            self.batches += 1
            self.rows += request.rows
        else:
            self._try_again(request, error)

    def _seconds_to_retry(self) -> float | None:
        return max(0.0, self._waiting[0].retry_at - time.monotonic()) if self._waiting else None

    def _try_again(self, request: _Request, error: Exception) -> None:
        if isinstance(error, Unauthorized):
            raise error  # the session says what to do
        if isinstance(error, RequestValidationException):
            raise BadRequest(
                f"Cassandra refuses a write ({error}): lower writes.batch_bytes if it calls the batch too large, "
                "otherwise look at `activity-aggregates migrate --check`"
            ) from error
        request.retry_at = time.monotonic() + next(request.delays)
        if request.retry_at > request.give_up_at:
            raise error
        self.retries += 1
        heapq.heappush(self._waiting, request)


def _unlogged(statements: list[BoundStatement]) -> BatchStatement:
    batch = BatchStatement(BatchType.UNLOGGED)
    for statement in statements:
        batch.add(statement)
    return batch
