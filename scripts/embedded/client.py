"""CQL to an instance, with the Python driver."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.protocol import ErrorMessage

from scripts.embedded.errors import SetupError
from scripts.embedded.instance import State

# The driver has no common ancestor for what can go wrong.
_FAILURES = (NoHostAvailable, DriverException, ErrorMessage, OSError)


@contextmanager
def session(state: State) -> Iterator[Session]:
    """A session that trusts and signs in as the instance demands; closed at the end."""
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # while a node starts, every attempt would be a traceback
    login = PlainTextAuthProvider(state.username, state.password) if state.username else None
    trust = ssl.create_default_context(cafile=state.ca_file) if state.ca_file else None
    if trust and state.client_file:
        trust.load_cert_chain(state.client_file)
    cluster = Cluster(state.contact_points, port=state.port, auth_provider=login, ssl_context=trust)
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


def answers(state: State) -> bool:
    """Whether every node takes part and a question is answered."""
    try:
        with session(state) as cql:
            peers = cql.execute("SELECT peer FROM system.peers_v2").all()
            hosts = cql.cluster.metadata.all_hosts()
            agreed = cql.cluster.control_connection.wait_for_schema_agreement(wait_time=1)
            return agreed and len(peers) + 1 == len(state.contact_points) and all(host.is_up for host in hosts)
    except _FAILURES:
        return False


def ask(state: State, statement: str) -> str:
    """The answer as lines of tab-separated values below the names of the columns; empty for a statement without one."""
    try:
        with session(state) as cql:
            answer = cql.execute(statement)
            if not answer.column_names:
                return ""
            rows = [answer.column_names, *answer]
            return "\n".join("\t".join(map(str, row)) for row in rows)
    except _FAILURES as error:
        raise SetupError(f"Cassandra refused {statement!r}: {error}") from error
