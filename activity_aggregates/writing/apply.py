"""Applies change sets to Cassandra from Spark's executors: one session per task, and counts of what it acknowledged."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import chain

import pyarrow as pa
from cassandra.cluster import Session
from cassandra.query import BoundStatement, PreparedStatement
from pyspark import Accumulator
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates import errors
from activity_aggregates.errors import JobError
from activity_aggregates.retrying import retried
from activity_aggregates.spark.sizing import cores
from activity_aggregates.store.connection import Connection, open_session, translated
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.writing.batches import Batches, replica_sets
from activity_aggregates.writing.encoding import (
    AggregateEncoder,
    CatalogEncoder,
    DeleteEncoder,
    EntriesEncoder,
    MetadataEncoder,
)
from activity_aggregates.writing.sending import LeaseWatch, Pace, Sender
from metrics.catalog import ACTIVITY_IN_CONTEXT


@dataclass(frozen=True, kw_only=True)
class WriteLimits:
    """Bounds of one task, and `rows_per_second` of all tasks together; see `writes` in the settings."""

    batch_rows: int
    batch_bytes: int
    in_flight: int
    rows_per_second: float | None
    retry_seconds: float


@dataclass(frozen=True, kw_only=True)
class _Plan(ABC):
    """How the rows of one table are written; it travels to the executors. Without a ticket no lease is asked for."""

    connection: Connection
    keyspace: str
    table: str
    write_time: int  # µs
    writes: WriteLimits
    ticket: LeaseTicket | None

    @property
    def place(self) -> str:
        return f"{self.keyspace}.{self.table}"

    @abstractmethod
    def encoder(self) -> EntriesEncoder | CatalogEncoder | DeleteEncoder: ...


@dataclass(frozen=True, kw_only=True)
class ApplyPlan(_Plan):
    """A table of metrics, with the names of its key and of its map columns."""

    key: tuple[str, ...]
    agg: str
    agg_last_updated: str
    as_of_ms: int

    def encoder(self) -> AggregateEncoder:
        return AggregateEncoder(self.place, self.key, self.agg, self.agg_last_updated, self.as_of_ms, self.write_time)


@dataclass(frozen=True, kw_only=True)
class MetadataPlan(_Plan):
    """The texts that activities are shown with, with the names of the key and of the map column."""

    key: tuple[str, ...]
    column: str

    def encoder(self) -> MetadataEncoder:
        return MetadataEncoder(self.place, self.key, self.column, self.write_time)


@dataclass(frozen=True, kw_only=True)
class CatalogPlan(_Plan):
    """The catalog of activities."""

    def encoder(self) -> CatalogEncoder:
        return CatalogEncoder(self.place, ACTIVITY_IN_CONTEXT, self.write_time)


@dataclass(frozen=True, kw_only=True)
class DeletePlan(_Plan):
    """Whole rows that go, with the names of their key."""

    key: tuple[str, ...]

    def encoder(self) -> DeleteEncoder:
        return DeleteEncoder(self.place, self.key, self.write_time)


AnyPlan = ApplyPlan | MetadataPlan | CatalogPlan | DeletePlan


@dataclass(frozen=True)
class Applied:
    """What Cassandra acknowledged; an entry is a metric with its date, `retries` counts batches sent again."""

    rows: int = 0
    entries_set: int = 0
    entries_removed: int = 0
    batches: int = 0
    retries: int = 0


_APPLIED_SCHEMA = ", ".join(f"{field.name} long" for field in fields(Applied))


def apply_changes(
    changes: DataFrame, plan: AnyPlan, on_rows: Accumulator[int] | None = None, tasks: int | None = None
) -> Applied:
    """Write the rows of one table, each partition by a task of its own.

    An `ApplyPlan` takes (key…, to_set map<string,double>, to_remove array<string>), a `MetadataPlan` the same with
    texts, a `CatalogPlan` takes (context_id, activity_type, activity_id, course_id), where a null course_id deletes,
    a `DeletePlan` (key…).
    `on_rows` grows by the rows of every task that ends. `tasks`, the number of partitions, lets fewer tasks than could
    run at once use the whole rate. Raises Unreachable when the store or the lease is lost, BadRequest when the store
    refuses a write; what was written until then stays and is written again by a resumed run.
    """
    writer = partial(_write, _of_one_task(plan, _tasks_at_once(changes.sparkSession, tasks)), on_rows)
    try:
        results = changes.select(*plan.encoder().columns).mapInArrow(writer, _APPLIED_SCHEMA).collect()
    except PySparkException as error:
        stopped = WriteStopped.found_in(str(error))
        if stopped is None:
            raise
        raise stopped.as_job_error(plan.table, 0 if on_rows is None else on_rows.value) from error
    return Applied(*(sum(column) for column in zip(*results, strict=True)))


def _tasks_at_once(spark: SparkSession, tasks: int | None) -> int:
    """At most so many of the tasks write at the same time; all of them where executors come while they do."""
    if tasks and spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        return tasks
    at_once = cores(spark)
    return min(tasks, at_once) if tasks else at_once


def _of_one_task(plan: _Plan, tasks: int) -> _Plan:
    rate = plan.writes.rows_per_second
    return replace(plan, writes=replace(plan.writes, rows_per_second=rate / tasks)) if rate else plan


class WriteStopped(Exception):
    """What ends a task, in one line: of a worker's exception Spark tells the driver only the text."""

    _TEXT = re.compile(r"WriteStopped: after (\d+) rows (\w+) (.+)$", re.MULTILINE)

    def __init__(self, rows: int, kind: str, reason: str) -> None:
        super().__init__(f"after {rows} rows {kind} {reason}")
        self._rows = rows
        self._kind = kind
        self._reason = reason

    @classmethod
    def found_in(cls, text: str) -> WriteStopped | None:
        """The one that Spark quotes, if there is one."""
        found = cls._TEXT.search(text)
        return cls(int(found[1]), found[2], found[3]) if found else None

    def as_job_error(self, table: str, rows_of_others: int) -> JobError:
        kind: type[JobError] = getattr(errors, self._kind)
        rows = self._rows + rows_of_others
        return kind(
            f"writing {table} stopped after {rows} rows: {self._reason}; run again, or finish it with --resume last"
        )


def _write(
    plan: _Plan, on_rows: Accumulator[int] | None, changes: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The work of one task: opens one session, writes its rows, and yields the one row of what was acknowledged."""
    first = next(changes, None)
    if first is None:
        return
    sender: Sender | None = None
    try:
        with ExitStack() as opened:
            session, prepared = retried(partial(_connect, plan, opened), plan.writes.retry_seconds)
            sender = _sender(plan, session)
            applied = _send_all(plan, sender, session, prepared, chain([first], changes))
    except JobError as error:
        rows = sender.rows if sender else 0
        raise WriteStopped(rows, type(error).__name__, " ".join(str(error).split())) from error
    if on_rows is not None:
        on_rows.add(applied.rows)
    yield pa.RecordBatch.from_pylist([asdict(applied)])


def _connect(plan: _Plan, opened: ExitStack) -> tuple[Session, dict[str, PreparedStatement]]:
    opened.close()  # an earlier attempt that came halfway
    session = opened.enter_context(open_session(plan.connection))
    with translated():
        return session, {statement: _prepared(session, statement) for statement in plan.encoder().statements}


def _prepared(session: Session, statement: str) -> PreparedStatement:
    prepared = session.prepare(statement)
    prepared.is_idempotent = True  # values and write time are absolute
    return prepared


def _sender(plan: _Plan, session: Session) -> Sender:
    writes = plan.writes
    lease = LeaseWatch(plan.ticket, session, writes.retry_seconds)
    return Sender(session, writes.in_flight, writes.retry_seconds, Pace(writes.rows_per_second), lease)


def _send_all(
    plan: _Plan,
    sender: Sender,
    session: Session,
    prepared: dict[str, PreparedStatement],
    changes: Iterator[pa.RecordBatch],
) -> Applied:
    encoder = plan.encoder()
    nodes = replica_sets(session.cluster.metadata, plan.keyspace, plan.connection.local_datacenter)
    batches = Batches[BoundStatement](plan.writes.batch_rows, plan.writes.batch_bytes)
    entries_set = entries_removed = 0
    for row in chain.from_iterable(map(encoder.rows, changes)):
        statement = BoundStatement(prepared[row.statement])
        statement.values = row.values
        for batch in batches.add(nodes.of_statement(statement), statement, row.size):
            sender.send(batch)
        entries_set += row.entries_set
        entries_removed += row.entries_removed
    for batch in batches.rest():
        sender.send(batch)
    sender.finish()
    return Applied(sender.rows, entries_set, entries_removed, sender.batches, sender.retries)
