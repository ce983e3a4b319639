"""The one session of a process: opened in the background, and again until it succeeds, so that the API outlives it."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import cassandra.cluster
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.policies import ConstantReconnectionPolicy
from cassandra.protocol import ProtocolHandler
from cassandra.query import PreparedStatement, tuple_factory

from activity_aggregates.api.edge.figures import figures
from activity_aggregates.api.stored.reads import Opened, Reads
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.errors import JobError, Unreachable
from activity_aggregates.store.connection import Connection, asked_elsewhere, open_session, prepared_reading, translated
from activity_aggregates.store.erased import ErasedTable

RETRY_SECONDS = 2.0  # between attempts to open the session, and of the driver to reach a node that was down
CHECK_SECONDS = 2.0  # how long a read may take that only tells whether the store is well
WATCH_SECONDS = 5  # between those that Prometheus is told of
FIRST_ATTEMPT_SECONDS = 5.0  # how long a start waits for the session before it goes on without
CLOSE_SECONDS = 2.0  # how long an end waits for each of two threads

_log = logging.getLogger(__name__)


@contextmanager
def answering() -> Iterator[None]:
    """Turns into Unreachable whatever the store does not answer, also for a table that was there and is gone."""
    with translated():
        try:
            yield
        except InvalidRequest as error:
            raise Unreachable(f"Cassandra does not know what the API reads any more ({error})") from error


class Store:
    """Holds the session of a process."""

    def __init__(
        self,
        connection: Connection,
        statements: Mapping[Read, str],
        fallbacks: Mapping[Read, str],
        read_timeout: float,
        erased: ErasedTable,
        erased_seconds: float,
        most_reads: int,
        protocol: type[ProtocolHandler] = ProtocolHandler,
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._statements = statements
        self._fallbacks = fallbacks
        self._read_timeout = read_timeout
        self._erased = erased
        self._erased_seconds = erased_seconds
        self._most_reads = most_reads
        self._opened: Opened | None = None
        self._tried = threading.Event()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="session", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="figures", daemon=True)

    def open(self) -> None:
        """Begins to connect, and gives the first attempt some time."""
        self._keeper.start()
        self._watcher.start()
        self._tried.wait(FIRST_ATTEMPT_SECONDS)

    def close(self) -> None:
        """Ends the session; an attempt to connect that is under way is not waited for long."""
        self._closing.set()
        self._keeper.join(CLOSE_SECONDS)
        self._watcher.join(CLOSE_SECONDS)
        if self._keeper.is_alive():  # then the driver, too, would wait for it at the end of the process
            atexit.unregister(cassandra.cluster._shutdown_clusters)

    def reads(self, deadline: float) -> Reads:
        """What a request reads until the deadline; while there is no session its first read raises Unreachable."""
        return Reads(self._opened or self._connection.address, deadline, self._most_reads)

    def check(self) -> None:
        """Makes a read of the kind that requests make; raises Unreachable where it fails."""
        with answering():
            reads = self.reads(time.monotonic() + CHECK_SECONDS)
            reads.row(reads.start(Read.GROUP, "health"))

    def _keep(self) -> None:
        said = ""
        while not self._closing.is_set():
            try:
                with open_session(self._connection) as session:
                    # The driver's own delays grow to ten minutes: so long would a store that is back be missed.
                    session.cluster.reconnection_policy = ConstantReconnectionPolicy(RETRY_SECONDS, max_attempts=None)
                    self._opened = opened = self._prepared(session)
                    self._tried.set()
                    _log.info("Cassandra at %s is reached", self._connection.address)
                    while not self._closing.wait(self._erased_seconds):
                        self._opened = opened = self._with_erased(opened)
            except JobError as error:
                self._opened = None
                if str(error) != said:  # not again and again
                    said = str(error)
                    _log.error("%s; the API answers 503 until then", error)
            self._tried.set()
            self._closing.wait(RETRY_SECONDS)

    def _prepared(self, session: Session) -> Opened:
        session.client_protocol_handler = self._protocol
        profile = session.execution_profile_clone_update(
            EXEC_PROFILE_DEFAULT,
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=self._read_timeout,
            speculative_execution_policy=asked_elsewhere(self._read_timeout),
            row_factory=tuple_factory,  # named tuples make a class per answer
        )
        try:
            prepared = {read: self._statement(session, read) for read in self._statements}
        except InvalidRequest as error:
            raise Unreachable(
                f"Cassandra at {self._connection.address} lacks what the API reads ({error}): "
                "run `activity-aggregates migrate`, or correct sources or target in the configuration"
            ) from error
        return Opened(session, profile, prepared, self._erased.read(session, retry_seconds=0.0), self._read_timeout)

    def _statement(self, session: Session, read: Read) -> PreparedStatement:
        """A statement, or what does for it where the store lacks a column that an answer can do without."""
        try:
            return prepared_reading(session, self._statements[read])
        except InvalidRequest as error:
            if read not in self._fallbacks:
                raise
            _log.warning("%s: answers do without", error)
            return prepared_reading(session, self._fallbacks[read])

    def _with_erased(self, opened: Opened) -> Opened:
        """The same with who was erased by now; raises BadRequest where that cannot be told with the secret given."""
        try:
            return replace(opened, erased=self._erased.read(opened.session, retry_seconds=0.0))
        except Unreachable as error:
            _log.warning("who was erased stays as it was read before: %s", error)
            return opened

    def _watch(self) -> None:
        """Notes for Prometheus, once a second, what the session is doing."""
        turn = 0
        while not self._closing.is_set():
            if opened := self._opened:
                states = opened.session.get_pool_state().values()
                figures().reads.set(sum(sum(state["in_flights"]) for state in states))
            if turn % WATCH_SECONDS == 0:
                figures().store_up.set(self._is_up())
            turn += 1
            self._closing.wait(1)

    def _is_up(self) -> bool:
        try:
            self.check()
        except Exception:  # noqa: BLE001  whatever it is: who watches must not end by it
            return False
        return True
