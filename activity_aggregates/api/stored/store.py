"""The one session of a process: opened in the background, and again until it succeeds, so that the API outlives it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile, ResponseFuture, Session
from cassandra.policies import ConstantReconnectionPolicy
from cassandra.protocol import ProtocolHandler
from cassandra.query import PreparedStatement, tuple_factory

from activity_aggregates.api.stored.statements import Read
from activity_aggregates.errors import JobError, Unreachable
from activity_aggregates.store.connection import Connection, open_session, translated
from activity_aggregates.store.erased import Erased, ErasedTable

RETRY_SECONDS = 2.0  # between attempts to open the session, and of the driver to reach a node that was down
FIRST_ATTEMPT_SECONDS = 5.0  # how long a start waits for the session before it goes on without

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reads:
    """Prepared reads at LOCAL_QUORUM, and who was erased."""

    session: Session
    profile: ExecutionProfile
    prepared: Mapping[Read, PreparedStatement]
    erased: Erased

    def start(self, read: Read, *key: str, rows: int | None = None) -> ResponseFuture:
        """Sends a read; `.result()` of what comes back waits for its rows, which are tuples. `rows` of them a page."""
        bound = self.prepared[read].bind(key)
        if rows is not None:
            bound.fetch_size = rows
        return self.session.execute_async(bound, execution_profile=self.profile)

    @staticmethod
    def row(started: ResponseFuture) -> Any:
        """The only row of a read that was sent; None where there is none."""
        return started.result().one()


class Store:
    """Holds the session of a process."""

    def __init__(
        self,
        connection: Connection,
        statements: Mapping[Read, str],
        read_timeout: float,
        erased: ErasedTable,
        erased_seconds: float,
        protocol: type[ProtocolHandler] = ProtocolHandler,
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._statements = statements
        self._read_timeout = read_timeout
        self._erased = erased
        self._erased_seconds = erased_seconds
        self._reads: Reads | None = None
        self._tried = threading.Event()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="session", daemon=True)

    def open(self) -> None:
        """Begins to connect, and gives the first attempt some time."""
        self._keeper.start()
        self._tried.wait(FIRST_ATTEMPT_SECONDS)

    def close(self) -> None:
        self._closing.set()
        self._keeper.join()

    def reads(self) -> Reads:
        """Raises Unreachable while there is no session."""
        if self._reads is None:
            raise Unreachable(f"Cassandra at {self._connection.address} has not been reached yet")
        return self._reads

    def check(self) -> None:
        """Makes a read of the kind that requests make; raises Unreachable where it fails."""
        with translated():
            reads = self.reads()
            reads.row(reads.start(Read.GROUP, "health"))

    def _keep(self) -> None:
        said = ""
        while not self._closing.is_set():
            try:
                with open_session(self._connection) as session:
                    # The driver's own delays grow to ten minutes: so long would a store that is back be missed.
                    session.cluster.reconnection_policy = ConstantReconnectionPolicy(RETRY_SECONDS, max_attempts=None)
                    self._reads = reads = self._prepared(session)
                    self._tried.set()
                    _log.info("Cassandra at %s is reached", self._connection.address)
                    while not self._closing.wait(self._erased_seconds):
                        self._reads = reads = self._with_erased(reads)
            except JobError as error:
                self._reads = None
                if str(error) != said:  # not again and again
                    said = str(error)
                    _log.error("%s; the API answers 503 until then", error)
            self._tried.set()
            self._closing.wait(RETRY_SECONDS)

    def _prepared(self, session: Session) -> Reads:
        session.client_protocol_handler = self._protocol
        profile = session.execution_profile_clone_update(
            EXEC_PROFILE_DEFAULT,
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=self._read_timeout,
            row_factory=tuple_factory,  # named tuples make a class per answer
        )
        try:
            prepared = {read: session.prepare(statement) for read, statement in self._statements.items()}
        except InvalidRequest as error:
            raise Unreachable(
                f"Cassandra at {self._connection.address} lacks what the API reads ({error}): "
                "run `activity-aggregates migrate`, or correct sources or target in the configuration"
            ) from error
        for statement in prepared.values():
            statement.is_idempotent = True
        return Reads(session, profile, prepared, self._erased.read(session))

    def _with_erased(self, reads: Reads) -> Reads:
        """The reads with who was erased by now; raises BadRequest where that cannot be told with the secret given."""
        try:
            with translated():
                return replace(reads, erased=self._erased.read(reads.session))
        except Unreachable as error:
            _log.warning("who was erased stays as it was read before: %s", error)
            return reads
