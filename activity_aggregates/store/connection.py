"""The Cassandra cluster: what is needed to reach it, a session of the Python driver, options of Spark's connector.

Spark's Python workers import this module to write, so it imports neither Spark nor the settings.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    OperationTimedOut,
    ProtocolVersion,
    RequestExecutionException,
    Unauthorized,
    UnresolvableContactPoints,
    protocol,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import ConstantSpeculativeExecutionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import FETCH_SIZE_UNSET, PreparedStatement, SimpleStatement

from activity_aggregates.errors import BadRequest, Forbidden, Unreachable
from activity_aggregates.retrying import retried
from activity_aggregates.texts import hosts_of, read_text

if TYPE_CHECKING:
    from activity_aggregates import settings

SCHEMA_AGREEMENT_SECONDS = 30
RETRY_SECONDS = 60.0  # for which a read is asked again that was not answered
_SHARE_OF_ONE_NODE = 0.2  # of the time for a request, before another node is asked as well

# Suites of TLS 1.3 and 1.2 with forward secrecy. The connector's own default are two RSA suites without it, which
# newer servers and JVMs refuse.
_CIPHER_SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
)
# Some errors of the server reach the caller as the driver's own messages, say an overloaded node.
_LOST = (
    NoHostAvailable,
    OperationTimedOut,
    RequestExecutionException,
    ConnectionException,
    protocol.RequestExecutionException,
    protocol.ServerError,
)


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The files of a TLS connection: PEM for Python, stores for the JVM."""

    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    check_hostname: bool
    truststore_file: str | None
    truststore_password: str | None = field(repr=False)
    keystore_file: str | None
    keystore_password: str | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """All that a session needs, secrets included; it travels to Spark's Python workers, never into a Spark setting."""

    secure_connect_bundle: str | None = None
    contact_points: tuple[str, ...]
    port: int
    local_datacenter: str
    consistency: str
    username: str | None
    password: str | None = field(repr=False)
    connect_timeout: float
    request_timeout: float
    tls: Tls | None

    @property
    def address(self) -> str:
        """Hosts and port, or the bundle that stands for them, as messages name them."""
        return self.secure_connect_bundle or f"{', '.join(self.contact_points)} port {self.port}"

    def within(self, seconds: float) -> Connection:
        """The same for who cannot wait longer, although each of its hosts may be silent."""
        return replace(self, connect_timeout=min(self.connect_timeout, seconds / len(self.contact_points)))


def connection(cassandra: settings.Cassandra, environ: Mapping[str, str]) -> Connection:
    """The connection with its secrets, which are read here and nowhere else."""
    if cassandra.secure_connect_bundle and cassandra.tls.enabled:
        raise BadRequest("cassandra.secure_connect_bundle brings a TLS of its own: leave cassandra.tls.enabled false")
    return Connection(
        secure_connect_bundle=cassandra.secure_connect_bundle,
        contact_points=tuple(hosts_of(",".join(cassandra.contact_points), "cassandra.contact_points")),
        port=cassandra.port,
        local_datacenter=cassandra.local_datacenter,
        consistency=cassandra.consistency,
        username=cassandra.username,
        password=_password(cassandra, environ) if cassandra.username else None,
        connect_timeout=cassandra.connect_timeout,
        request_timeout=cassandra.request_timeout,
        tls=_tls(cassandra.tls, environ) if cassandra.tls.enabled else None,
    )


def _password(cassandra: settings.Cassandra, environ: Mapping[str, str]) -> str:
    if cassandra.password_file:
        named = f"{cassandra.password_file}, which holds the password of {cassandra.username},"
        wanted = "correct cassandra.password_file"
        password = read_text(Path(cassandra.password_file), named, wanted).rstrip("\r\n")
    else:
        password = environ.get(cassandra.password_env, "")
    if not password:
        raise BadRequest(
            f"cassandra.username is {cassandra.username} and there is no password: "
            f"set the variable {cassandra.password_env} or name a file in cassandra.password_file"
        )
    return password


def _tls(tls: settings.Tls, environ: Mapping[str, str]) -> Tls:
    if bool(tls.cert_file) != bool(tls.key_file):
        raise BadRequest("cassandra.tls.cert_file and cassandra.tls.key_file belong together: set both or none")
    return Tls(
        ca_file=tls.ca_file,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        check_hostname=tls.check_hostname,
        truststore_file=tls.truststore_file,
        truststore_password=environ.get(tls.truststore_password_env),
        keystore_file=tls.keystore_file,
        keystore_password=environ.get(tls.keystore_password_env),
    )


@contextmanager
def open_session(connection: Connection) -> Iterator[Session]:
    """A session without a keyspace; what the driver reports inside the block as lost becomes Unreachable."""
    # What goes wrong is raised and said once; the driver would also log every attempt with a traceback.
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)
    cluster = _cluster(connection)
    try:
        session = _connected(cluster, connection)
        with translated():
            yield session
    finally:
        cluster.shutdown()


def _cluster(connection: Connection) -> Cluster:
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(connection.local_datacenter)),
        consistency_level=ConsistencyLevel.name_to_value[connection.consistency],
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=connection.request_timeout,
        speculative_execution_policy=asked_elsewhere(connection.request_timeout),
    )
    try:
        return Cluster(
            **_place(connection),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            auth_provider=PlainTextAuthProvider(connection.username, connection.password)
            if connection.username
            else None,
            connect_timeout=connection.connect_timeout,
            control_connection_timeout=connection.connect_timeout,
            max_schema_agreement_wait=SCHEMA_AGREEMENT_SECONDS,
            protocol_version=ProtocolVersion.V4,  # every Cassandra from 2.2 on speaks it; negotiating costs connections
        )
    except (DriverException, KeyError, ValueError, OSError) as error:
        if connection.secure_connect_bundle is None:
            # A label of a name that is empty, or longer than 63 letters, fails before anybody is asked for it.
            if not isinstance(error, UnresolvableContactPoints | UnicodeError):
                raise
            hosts = ", ".join(connection.contact_points)
            raise Unreachable(f"{hosts} is not the name of a host: check cassandra.contact_points") from error
        raise Unreachable(
            f"the database of {connection.address} cannot be reached ({error}): check that it is not paused, and that "
            "cassandra.secure_connect_bundle is its newest"
        ) from error


def asked_elsewhere(request_timeout: float) -> ConstantSpeculativeExecutionPolicy:
    """Whoever reads does not wait for a node that stands still until the time is over, but asks a second one.

    That goes for statements that say that they are idempotent: reads, and records that carry their write time. Writes
    of rows do not: a store that is overloaded would get twice as many, and they are sent again by who counts them.
    """
    return ConstantSpeculativeExecutionPolicy(request_timeout * _SHARE_OF_ONE_NODE, max_attempts=1)


def read(
    session: Session, query: str, fetch_size: Any = FETCH_SIZE_UNSET, retry_seconds: float = RETRY_SECONDS
) -> list[Any]:
    """The rows of a query, asked for again for a while where no answer comes.

    Who reads a whole table, or a row of it, does not get round a replica that stands still: the node that was asked
    waits for it, until the others have noticed. Raises Unreachable in the end.
    """
    statement = reading(query, fetch_size)

    def asked() -> list[Any]:
        with translated():
            return list(session.execute(statement))

    return retried(asked, retry_seconds)


def reading(query: str, fetch_size: Any = FETCH_SIZE_UNSET) -> SimpleStatement:
    """A query that reads, so that two nodes may be asked."""
    return SimpleStatement(query, is_idempotent=True, fetch_size=fetch_size)


def prepared_reading(session: Session, query: str) -> PreparedStatement:
    """The same, prepared."""
    statement = prepared(session, query)
    statement.is_idempotent = True
    return statement


def prepared(session: Session, query: str) -> PreparedStatement:
    """A statement that can be prepared again where no answer comes: what is lost is Unreachable."""
    with translated():
        return session.prepare(query)


def _place(connection: Connection) -> dict[str, Any]:
    """Where the cluster is, as arguments of the driver: a bundle says all of it, and is asked at once."""
    if (bundle := connection.secure_connect_bundle) is None:
        tls = _ssl_context(connection.tls) if connection.tls else None
        return {"contact_points": connection.contact_points, "port": connection.port, "ssl_context": tls}
    if not _is_bundle(bundle):
        raise BadRequest(
            f"cassandra.secure_connect_bundle {bundle} is no readable bundle: name the zip file of the database, "
            "which has to be there on every machine that connects"
        )
    return {"cloud": {"secure_connect_bundle": bundle, "use_default_tempdir": True}}


def _is_bundle(file: str) -> bool:
    try:
        with ZipFile(file) as bundle:
            is_whole = set(bundle.namelist()) >= {"config.json", "ca.crt", "cert", "key"}
            return is_whole and isinstance(json.loads(bundle.read("config.json")), dict)
    except (BadZipFile, OSError, ValueError, RuntimeError):  # RuntimeError: it is encrypted
        return False


def _ssl_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(filter(None, (tls.ca_file, tls.cert_file, tls.key_file)))
        raise BadRequest(
            f"cassandra.tls: {error.strerror or error} in one of {files}: name readable PEM files"
        ) from error
    context.check_hostname = tls.check_hostname
    return context


def _connected(cluster: Cluster, connection: Connection) -> Session:
    try:
        return cluster.connect()
    except (NoHostAvailable, AuthenticationFailed, OperationTimedOut) as error:
        raise Unreachable(_why_unreachable(error, cluster, connection)) from error


def _why_unreachable(error: Exception, cluster: Cluster, connection: Connection) -> str:
    # Per host where a connection failed; without them when every host is of another datacenter.
    errors = getattr(error, "errors", None)
    causes = list(errors.values()) if errors and isinstance(errors, dict) else [error]
    cause = next((cause for cause in causes if isinstance(cause, AuthenticationFailed)), causes[0])
    if isinstance(cause, AuthenticationFailed) and connection.username:
        return f"Cassandra at {connection.address} refuses the user {connection.username}: check name and password"
    if isinstance(cause, AuthenticationFailed):
        return f"Cassandra at {connection.address} asks for a user: set cassandra.username"
    datacenters = sorted({host.datacenter for host in cluster.metadata.all_hosts() if host.datacenter})
    if datacenters and connection.local_datacenter and connection.local_datacenter not in datacenters:
        return (
            f"Cassandra at {connection.address} has no datacenter {connection.local_datacenter}: "
            f"set cassandra.local_datacenter to {' or '.join(datacenters)}"
        )
    return (
        f"Cassandra at {connection.address} cannot be reached ({cause}): check that it is up and that "
        f"cassandra.contact_points, cassandra.port and cassandra.tls are right"
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the driver reports as lost, timed out or overloaded into Unreachable, and a refusal into Forbidden."""
    try:
        yield
    except Unauthorized as error:
        raise Forbidden(f"Cassandra refuses the request ({error}): grant the user this permission") from error
    except _LOST as error:
        raise Unreachable(
            f"Cassandra was lost or did not answer in time ({type(error).__name__}: {error}): "
            "check the cluster and run the command again"
        ) from error


def spark_options(connection: Connection) -> dict[str, str]:
    """Options for one read of Spark's connector: SparkConf is no place for them, its values stand in process lists.

    The connector never checks host names, whatever `check_hostname` says.
    """
    options = {
        **_spark_place(connection),
        "spark.cassandra.connection.timeoutMS": str(round(connection.connect_timeout * 1000)),
        "spark.cassandra.input.consistency.level": connection.consistency,
        "spark.cassandra.output.consistency.level": connection.consistency,
        "spark.cassandra.auth.username": connection.username,
        "spark.cassandra.auth.password": connection.password,
        **(_spark_tls(connection.tls) if connection.tls else {}),
    }
    return {key: value for key, value in options.items() if value is not None}


def _spark_place(connection: Connection) -> dict[str, str]:
    if connection.secure_connect_bundle:
        return {"spark.cassandra.connection.config.cloud.path": connection.secure_connect_bundle}
    return {
        "spark.cassandra.connection.host": ",".join(connection.contact_points),
        "spark.cassandra.connection.port": str(connection.port),
        "spark.cassandra.connection.localDC": connection.local_datacenter,
    }


def _spark_tls(tls: Tls) -> dict[str, str | None]:
    ssl = "spark.cassandra.connection.ssl"
    return {
        f"{ssl}.enabled": "true",
        f"{ssl}.enabledAlgorithms": ",".join(_CIPHER_SUITES),
        f"{ssl}.trustStore.path": tls.truststore_file,
        f"{ssl}.trustStore.password": tls.truststore_password,
        f"{ssl}.clientAuth.enabled": str(tls.keystore_file is not None).lower(),
        f"{ssl}.keyStore.path": tls.keystore_file,
        f"{ssl}.keyStore.password": tls.keystore_password,
    }
