"""Applies staged rows to Cassandra from Spark's executors: one session per task, and counts of what it acknowledged."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from cassandra.cluster import Session
from cassandra.query import BoundStatement, PreparedStatement
from py4j.protocol import Py4JError
from pyspark import Accumulator, AccumulatorParam, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates import errors
from activity_aggregates.errors import JobError
from activity_aggregates.retrying import retried
from activity_aggregates.spark.sizing import cores
from activity_aggregates.store.connection import open_session, prepared
from activity_aggregates.writing.batches import Batches, replica_sets
from activity_aggregates.writing.encoding import Encoder, Row
from activity_aggregates.writing.plans import Plan
from activity_aggregates.writing.sending import LeaseWatch, Pace, Sender
from metrics.trees.arrow import map_in_arrow

_RESULT = "name string, count long"
_ROWS, _ENTRIES_SET, _ENTRIES_REMOVED, _BATCHES, _RETRIES = (
    "rows ",
    "entries set",
    "entries removed",
    "batches",
    "retries",
)
GROUP = "write staged rows"  # of Spark's jobs
_OF_A_GROUP = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
_SECONDS_BETWEEN_LOOKS = 0.2
_BATCH_ROWS = 10_000  # of one record batch


@dataclass(frozen=True)
class Applied:
    """What Cassandra acknowledged; an entry is a metric with its date, `retries` counts batches sent again."""

    rows: dict[str, int]
    entries_set: int
    entries_removed: int
    batches: int
    retries: int


def apply_changes(
    changes: DataFrame, plan: Plan, on_rows: Accumulator[int] | None = None, tasks: int | None = None
) -> Applied:
    """Write staged rows (see `staging.changed_rows`), or delete those of (table, key…): each partition by a task.

    `on_rows` grows by the rows of every task that ends. `tasks`, the number of partitions, lets fewer tasks than could
    run at once use the whole rate. Raises Unreachable when the store or the lease is lost, BadRequest when the store
    refuses a write; what was written until then stays and is written again by a resumed run.
    """
    spark = changes.sparkSession
    on_rows = spark.sparkContext.accumulator(0) if on_rows is None else on_rows
    stopped = spark.sparkContext.accumulator(list[str](), _Sentences())
    writer = partial(_write, _of_one_task(plan, _tasks_at_once(spark, tasks)), on_rows, stopped)
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, str(_BATCH_ROWS))
    results: list[Any] = []
    try:
        with _given_up_with_the_first(spark.sparkContext, stopped):
            results = map_in_arrow(changes, writer, _RESULT).collect()
    finally:
        spark.conf.set(key, str(before))
    if stopped.value:
        kind, _, reason = stopped.value[0].partition(" ")
        raise _error(kind)(
            f"writing stopped after {on_rows.value} rows: {reason}; run again, or finish it with --resume last"
        )
    counts: Counter[str] = Counter()
    for name, number in results:
        counts[name] += number
    rows = {name.removeprefix(_ROWS): number for name, number in counts.items() if name.startswith(_ROWS)}
    return Applied(rows, counts[_ENTRIES_SET], counts[_ENTRIES_REMOVED], counts[_BATCHES], counts[_RETRIES])


class _Sentences(AccumulatorParam[list[str]]):
    """What tasks say."""

    def zero(self, value: list[str]) -> list[str]:
        return []

    def addInPlace(self, value1: list[str], value2: list[str]) -> list[str]:  # noqa: N802  as Spark calls it
        return [*value1, *value2]


@contextmanager
def _given_up_with_the_first(context: SparkContext, stopped: Accumulator[list[str]]) -> Iterator[None]:
    """Cancels the jobs of the block once a task has stopped: all that follow would try for as long as that one has."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            if stopped.value:
                context.cancelJobGroup(GROUP)
                return

    before = {name: context.getLocalProperty(name) for name in _OF_A_GROUP}
    context.setJobGroup(GROUP, GROUP)
    watcher = threading.Thread(target=watch, name=GROUP, daemon=True)
    watcher.start()
    try:
        yield
    except (PySparkException, Py4JError):
        if not stopped.value:
            raise
    finally:
        over.set()
        watcher.join()
        for name, value in before.items():
            context.setLocalProperty(name, cast(str, value))  # None takes it away


def _error(kind: str) -> type[JobError]:
    found: type[JobError] = getattr(errors, kind)
    return found


def _tasks_at_once(spark: SparkSession, tasks: int | None) -> int:
    """At most so many of the tasks write at the same time; all of them where executors come while they do."""
    if tasks and spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        return tasks
    at_once = cores(spark)
    return min(tasks, at_once) if tasks else at_once


def _of_one_task(plan: Plan, tasks: int) -> Plan:
    rate = plan.writes.rows_per_second
    return replace(plan, writes=replace(plan.writes, rows_per_second=rate / tasks)) if rate else plan


def _write(
    plan: Plan, on_rows: Accumulator[int], stopped: Accumulator[list[str]], changes: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The work of one task: opens one session, writes its rows, and yields what was acknowledged, or says why not."""
    first = next(changes, None)
    if first is None:
        return
    task = _Task(plan)
    try:
        with ExitStack() as opened:
            retried(partial(task.connect, opened), plan.writes.retry_seconds)
            task.send(chain([first], changes))
    except JobError as error:
        stopped.add([f"{type(error).__name__} {' '.join(str(error).split())}"])
    on_rows.add(task.rows)
    yield pa.RecordBatch.from_pydict({"name": list(task.counts), "count": pa.array(task.counts.values(), pa.int64())})


class _Task:
    """What one task has at hand and what it has counted."""

    def __init__(self, plan: Plan) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._encoders = plan.encoders()
        self._session: Session | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._sender: Sender | None = None

    @property
    def rows(self) -> int:
        return self._sender.rows if self._sender else 0

    def connect(self, opened: ExitStack) -> None:
        opened.close()  # an earlier attempt that came halfway
        self._session = opened.enter_context(open_session(self._plan.connection))
        self._prepared = {}

    def send(self, changes: Iterator[pa.RecordBatch]) -> None:
        """Send all rows, and count them when all are acknowledged."""
        session, plan = self._session, self._plan
        assert session is not None
        writes = plan.writes
        lease = LeaseWatch(plan.ticket, session, writes.retry_seconds)
        sender = Sender(session, writes.in_flight, writes.retry_seconds, Pace(writes.rows_per_second), lease)
        self._sender = sender
        nodes = replica_sets(session.cluster.metadata, plan.keyspace, plan.connection.local_datacenter)
        batches = Batches[BoundStatement](writes.batch_rows, writes.batch_bytes)
        counts: Counter[str] = Counter()
        for table, row in self._encoded(changes):
            statement = BoundStatement(self._statement(session, row.statement))
            statement.values = row.values
            for batch in batches.add(nodes.of_statement(statement), statement, row.size):
                sender.send(batch)
            counts[_ROWS + table] += 1
            counts[_ENTRIES_SET] += row.entries_set
            counts[_ENTRIES_REMOVED] += row.entries_removed
        for batch in batches.rest():
            sender.send(batch)
        sender.finish()
        self.counts.update(counts)
        self.counts.update({_BATCHES: sender.batches, _RETRIES: sender.retries})

    def _encoded(self, changes: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, Row]]:
        for batch in changes:
            tables = batch.column("table")
            for table in pc.unique(tables).to_pylist():
                encoder: Encoder = self._encoders[table]
                here = batch.filter(pc.equal(tables, table)).select(list(encoder.columns))
                for row in encoder.rows(here):
                    yield table, row

    def _statement(self, session: Session, text: str) -> PreparedStatement:
        if text not in self._prepared:
            self._prepared[text] = retried(partial(prepared, session, text), self._plan.writes.retry_seconds)
        return self._prepared[text]
