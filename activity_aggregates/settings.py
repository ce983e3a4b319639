"""Every setting of the software: typed, closed (unknown keys are errors) and immutable.

`conf/default.yaml` states every default; this module states only names and types, so there is one place for each
value. Loading and layering is in `configuration`. The rules in `metrics` are given values; the engine finds the
settings in what a run is carried out with.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from metrics.declarations import Family

_CLOSED = ConfigDict(extra="forbid")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
# What metrics of runs say beside the labels of a deployment.
OWN_LABELS = ("target", "command", "status", "phase", "source", "reason", "table", "kind")
_YEAR = 31_536_000  # seconds
# Longer times are no moments of the calendar any more when they are added to one, or taken from it.
Seconds = Annotated[float, Field(gt=0, le=_YEAR, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=_YEAR, allow_inf_nan=False)]
# 20 years: the longest for which Cassandra takes a row that is to be forgotten.
Days = Annotated[int, Field(gt=0, le=7300)]
# What the rows of the target tables have beside their two maps.
OWN_COLUMNS = ("activity_type", "activity_id", "user_id", "context_id", "day", "group_id")
# Those of Cassandra 5.0, as it lists them itself; the driver's list has the words of other products as well.
_RESERVED = """
add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries execute
from full grant if in index infinity insert into is keyspace limit materialized modify nan norecursive not null of on
or order primary rename revoke schema select set table to token truncate unlogged update use using view where with
"""
RESERVED_WORDS = frozenset(_RESERVED.split())
# A name in CQL that needs no quotes, unless it is a reserved word: statements are written with it.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Tls:
    """TLS to Cassandra. The Python driver reads PEM files, the JVM reads a trust store and a key store: name both."""

    enabled: bool
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    check_hostname: bool
    truststore_file: str | None
    truststore_password_env: str
    keystore_file: str | None
    keystore_password_env: str


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Cassandra:
    """How the cluster is reached. Secrets are named (an environment variable or a file), never given."""

    secure_connect_bundle: str | None
    contact_points: Annotated[list[str], Field(min_length=1)]
    port: Annotated[int, Field(gt=0, lt=65536)]
    local_datacenter: str
    consistency: Literal["LOCAL_QUORUM", "QUORUM", "LOCAL_ONE", "ONE", "ALL", "EACH_QUORUM"]
    username: str | None
    password_env: str
    password_file: str | None
    connect_timeout: Seconds
    request_timeout: Seconds
    tls: Tls


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class MapColumns:
    """Names of the two map columns of the aggregate tables."""

    agg: Name
    agg_last_updated: Name


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Target:
    """Where the aggregates are kept. `replication` and `tablets` are used only to create a keyspace that is missing."""

    keyspace: Name
    replication: dict[str, str | int] | None
    tablets: bool | None
    tables: dict[str, Name]
    columns: MapColumns


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Source:
    """One source: a Cassandra table (`keyspace`, `table`) or files (`path`); `columns` maps our names to its names.

    A column that is optional may be null there: then it is not read.
    `changed_at` is a column that says when a row was last changed: what incremental runs go by where files have no
    write times.
    """

    format: Literal["cassandra", "parquet", "csv", "json"]
    keyspace: str | None = None
    table: str | None = None
    path: str | None = None
    options: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str | None] = Field(default_factory=dict)
    changed_at: str | None = None


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Sources:
    """The sources of the metrics; a run without `groups` and `group_members` has no group part.

    `group_attempts` are quizzes held inside a group, `timespent` seconds from the telemetry store.
    `users` is read by the API only, for the attributes named in `api.profile`.
    """

    enrolments: Source
    progress: Source
    hierarchies: Source
    attempts: Source | None
    batches: Source | None
    groups: Source | None
    group_members: Source | None
    group_attempts: Source | None
    timespent: Source | None
    users: Source | None


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Metrics:
    """Choices within the definitions; a family that is not listed is not computed, and its entries are others'.

    `carry` are entries of others in activity_user_agg that group_activity_user_agg takes along; days, those of batches
    too, are those of `time_zone`.
    """

    families: Annotated[list[Family], Field(min_length=1)]
    carry: list[Annotated[str, Field(min_length=1)]]
    time_zone: str
    course_types: list[str]
    completion: Literal["sticky", "current"]
    scores_in_course: bool


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Metadata:
    """Entries of activity_metadata: `fields` are attributes of a node, `batches` dates of a course's batches.

    Null leaves an entry, or all of them, to other writers.
    """

    fields: dict[str, str | None] | None
    batches: dict[str, Literal["earliest_start", "latest_end"] | None] | None


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Limits:
    """Bounds that stop a run before its first write."""

    refused_share: Share
    retracted_share: Share
    lowered_share: Share
    retracted_floor: Annotated[int, Field(ge=0)]
    clock_skew: Seconds


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Incremental:
    """How far an incremental run looks back, in seconds."""

    lookback: SecondsOrZero


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Writes:
    """How a change set is applied. `rows_per_second` is cluster-wide; null is without a limit."""

    batch_rows: Positive
    batch_bytes: Positive
    in_flight: Positive
    rows_per_second: Positive | None
    rows_per_task: Positive
    retry_seconds: Seconds
    ordering: Literal["write_time", "lease"]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Lease:
    """The lease that lets one run in at a time: seconds it lives without a heartbeat, and where it is agreed on."""

    ttl: Annotated[int, Field(ge=3, le=86_400)]
    consistency: Literal["LOCAL_SERIAL", "SERIAL"]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Staging:
    """Where change sets are staged; `shared` says that a path without a scheme is seen by every executor."""

    dir: str
    shared: bool
    keep_days: Days
    quarantine_days: Days


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Events:
    """Completions as records: files below `path`, or whatever a writer of Spark's with these `options` makes of them.

    Nobody is told without a path for json and parquet. `initial` tells of the first full run's completions, too.
    """

    path: str | None
    format: Annotated[str, Field(min_length=1)]
    options: dict[str, str]
    initial: bool
    keep_days: Days


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Erased:
    """The secret that ids of erased learners are hashed with: it is named, never given."""

    secret_env: str
    secret_file: str | None


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Spark:
    """Spark settings used when the command starts its own session; under spark-submit its own flags win."""

    master: str
    driver_memory: str
    packages: list[str]
    jars: list[str]
    conf: dict[str, str | int | float | bool]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Log:
    """`auto` is a live line on a terminal and plain lines elsewhere; `short` the live line alone."""

    format: Literal["auto", "plain", "short", "json"]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Prometheus:
    """`textfile` is written at the end of every run; node_exporter reads files whose names end in .prom only.

    `labels` stand at every metric, to tell deployments apart.
    """

    textfile: Annotated[str, Field(pattern=r"\.prom$")] | None
    labels: dict[str, str]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Lineage:
    """Events of OpenLineage go to a backend at `url`, or are lines of the file `path`; nowhere without either.

    `namespace` is that of the jobs. The key is named, never given. `timeout` is of one attempt to tell.
    """

    url: str | None
    path: str | None
    namespace: Annotated[str, Field(min_length=1)]
    api_key_env: str
    api_key_file: str | None
    timeout: Seconds


_ORIGIN = r"^(\*|[a-z][a-z0-9+.-]*://[^/\s]+)$"  # as a browser sends it: a scheme, a host, a port where it needs one
_PORT = r"([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ADDRESS = rf"^\S+:{_PORT}$"


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class MemberRoles:
    """The roles in a group whose members see everybody's metrics."""

    roles: Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Api:
    """The read API: where it listens, whose tokens it accepts, and its bounds. Secrets are named, never given.

    `profile` maps what members are shown with to one or several columns of `sources.users`; null hides it.
    """

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=0, lt=65536)]
    workers: Positive
    key_file: str | None
    algorithms: Annotated[list[Literal["RS256", "ES256"]], Field(min_length=1)]
    issuer: str | None
    audience: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] | None
    leeway: SecondsOrZero
    user_id_claim: Annotated[str, Field(min_length=1)]
    scope_claim: Annotated[str, Field(min_length=1)]
    profile: dict[str, str | Annotated[list[str], Field(min_length=1)] | None]
    member_scores: Literal["all", "own"] | MemberRoles
    cors_origins: list[Annotated[str, Field(pattern=_ORIGIN)]]
    max_body_bytes: Positive
    max_connections: Positive
    idle_timeout: Seconds
    request_timeout: Seconds
    read_timeout: Seconds
    max_reads: Positive
    page_size: Positive
    max_page_size: Positive
    paging_secret_env: str
    paging_secret_file: str | None
    metadata_seconds: SecondsOrZero
    erased_seconds: Seconds
    access_log: bool
    metrics_address: Annotated[str, Field(pattern=_ADDRESS)] | None


@dataclass(frozen=True, config=_CLOSED, kw_only=True)
class Settings:
    """All settings of one command."""

    cassandra: Cassandra
    target: Target
    sources: Sources
    metrics: Metrics
    metadata: Metadata
    limits: Limits
    incremental: Incremental
    writes: Writes
    lease: Lease
    staging: Staging
    events: Events
    erased: Erased
    spark: Spark
    api: Api
    log: Log
    prometheus: Prometheus
    lineage: Lineage
