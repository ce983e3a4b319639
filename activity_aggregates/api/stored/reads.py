"""The reads of one request: bounded in their number under way and, all together, in their time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cassandra.cluster import ExecutionProfile, ResponseFuture, Session
from cassandra.query import PreparedStatement

from activity_aggregates.api.edge.refusals import TOO_MANY_READS, TOO_SLOW, Refused
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.errors import Unreachable
from activity_aggregates.store.erased import Erased

AT_ONCE = 64  # reads of one kind that are waited for together
PAGE_ROWS = 1000  # of a partition that is read on
LEAST_SECONDS = 0.001

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Opened:
    """A session that reads at LOCAL_QUORUM, what it has prepared, and who was erased."""

    session: Session
    profile: ExecutionProfile
    prepared: Mapping[Read, PreparedStatement]
    erased: Erased
    read_timeout: float


class Reads:
    """What one request reads until `deadline`, of the monotonic clock; at most so many reads are under way.

    In the place of a session there may be the address that was not reached; then whatever is read raises Unreachable.
    """

    def __init__(self, opened: Opened | str, deadline: float, most: int) -> None:
        self._found = opened
        self._deadline = deadline
        self._most = most
        self._under_way: deque[ResponseFuture] = deque()
        self._left = most

    @property
    def _opened(self) -> Opened:
        if isinstance(self._found, str):
            raise Unreachable(f"Cassandra at {self._found} has not been reached yet")
        return self._found

    @property
    def erased(self) -> Erased:
        return self._opened.erased

    def start(self, read: Read, *key: object, rows: int | None = None, after: bytes | None = None) -> ResponseFuture:
        """Sends a read; `.result()` of what comes back waits for its rows, which are tuples.

        `rows` of them a page; `after` is the state of the page before. Raises the refusal TOO_SLOW after the deadline.
        """
        if len(self._under_way) >= self._most:
            with suppress(Exception):  # told to who has started it
                self._under_way.popleft().result()
        seconds = self._deadline - time.monotonic()
        if seconds < LEAST_SECONDS:
            raise Refused(TOO_SLOW)
        bound = self._opened.prepared[read].bind(key)
        if rows is not None:
            bound.fetch_size = rows
        started = self._opened.session.execute_async(
            bound,
            execution_profile=self._opened.profile,
            timeout=min(seconds, self._opened.read_timeout),
            paging_state=after,
        )
        self._under_way.append(started)
        return started

    def each(self, read: Read, keys: Iterable[tuple[object, ...]]) -> Iterator[list[Row]]:
        """The rows of many partitions, in the order of the keys; some are read ahead."""
        ahead: deque[ResponseFuture] = deque()
        for key in keys:
            if len(ahead) >= min(self._most, AT_ONCE):
                yield ahead.popleft().result().current_rows
            ahead.append(self.start(read, *key))
        while ahead:
            yield ahead.popleft().result().current_rows

    def all_rows(self, read: Read, *key: object, first: int = PAGE_ROWS) -> Iterator[Row]:
        """The rows of a partition: `first` of them with the first read, many with each that follows."""
        return self.rest(self.start(read, *key, rows=first), read, *key)

    def rest(self, started: ResponseFuture, read: Read, *key: object) -> Iterator[Row]:
        """The rows of a read that was sent, and of those that follow it."""
        while True:
            page = started.result()
            state = page.paging_state
            yield from page.current_rows
            if state is None:
                return
            started = self.start(read, *key, rows=PAGE_ROWS, after=state)

    def spend(self, number: int) -> None:
        """Counts reads that a request makes of what is not made for it; raises TOO_MANY_READS above the bound."""
        self._left -= number
        if self._left < 0:
            raise Refused(TOO_MANY_READS)

    @staticmethod
    def row(started: ResponseFuture) -> Any:
        """The only row of a read that was sent; None where there is none."""
        return started.result().one()
