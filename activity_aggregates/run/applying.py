"""Applies the staged rows of a run, and holds the counts against each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.entries import entries_that_differ, stored_entries
from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.errors import Unreachable
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.run.asked import Unit
from activity_aggregates.run.execution import Execution
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import KEY_COLUMNS, METRICS, TARGET_TABLES
from activity_aggregates.writing.apply import apply_changes, cores
from activity_aggregates.writing.encoding import Times
from activity_aggregates.writing.plans import Plan, WriteLimits
from metrics.declarations import names

_ROWS_WORTH_A_TASK = 1000


def apply_staged_rows(
    execution: Execution, spark: SparkSession, directory: RunDirectory, unit: Unit | None = None
) -> None:
    """Write every staged row, or those of one unit; raises Unreachable where some were not acknowledged."""
    counts = execution.counts
    paths = Staging(spark, directory.path).parts(directory)
    counts.setdefault("written", 0)
    for table in TARGET_TABLES:
        counts.setdefault(f"written.{table.name}", 0)
    staged = sum(counts.get(f"changed.{table.name}", 0) for table in TARGET_TABLES)
    if not staged or not paths:
        return
    rows = changed_rows(spark, paths)
    if unit is not None:
        rows = rows.filter(_is_of(unit))
        staged = rows.count()
    written = send_rows(execution, rows, staged, "write", plan_of(execution, Times(*_times(execution))))
    for name, number in written.items():
        counts[f"written.{name}"] += number
    counts["written"] += sum(number for name, number in written.items() if name in _OF_AGGREGATES)
    counts["held"] = counts.get("held", 0) + _held(execution, spark, rows)


_OF_AGGREGATES = {table.name for table in TARGET_TABLES if table.holds == METRICS}


def _times(execution: Execution) -> tuple[int | None, int]:
    is_ordered = execution.settings.writes.ordering == "write_time"
    return execution.record.write_time if is_ordered else None, epoch_milliseconds(execution.record.as_of)


def plan_of(execution: Execution, times: Times, deletes: Mapping[str, tuple[str, ...]] | None = None) -> Plan:
    """How the rows of this run are written; with `deletes`, keys by table, whole rows go."""
    target, writes = execution.settings.target, execution.settings.writes
    limits = WriteLimits(
        batch_rows=writes.batch_rows, batch_bytes=writes.batch_bytes, in_flight=writes.in_flight,
        rows_per_second=writes.rows_per_second, retry_seconds=writes.retry_seconds,
    )  # fmt: skip
    families = tuple(execution.settings.metrics.families)
    return Plan(
        connection=execution.connection, keyspace=target.keyspace, deployed=target.tables,
        metrics={table.name: names(table.name, families) for table in TARGET_TABLES},
        maps=(target.columns.agg, target.columns.agg_last_updated), times=times, writes=limits,
        ticket=execution.lease.ticket, deletes=deletes,
    )  # fmt: skip


def send_rows(execution: Execution, rows: DataFrame, staged: int, phase: str, plan: Plan) -> dict[str, int]:
    """Send rows, `staged` in number; how many of each table, raises Unreachable where fewer were acknowledged."""
    execution.lease.check()
    at_once = min(cores(rows.sparkSession), -(-staged // _ROWS_WORTH_A_TASK))
    tasks = max(-(-staged // execution.settings.writes.rows_per_task), at_once, 1)
    done = rows.sparkSession.sparkContext.accumulator(0)
    with execution.steps(phase) as step:
        step.of, step.rows_so_far = staged, lambda: int(done.value)
        applied = apply_changes(rows.repartition(tasks) if tasks > 1 else rows.coalesce(1), plan, done, tasks)
        step.rows = sum(applied.rows.values())
    if step.rows != staged:
        raise Unreachable(f"{staged - step.rows} of {staged} rows were not acknowledged: run again")
    return applied.rows


def _is_of(unit: Unit) -> F.Column:  # type: ignore[name-defined]
    if unit.is_of_groups:
        return F.col("group_id").isNotNull()
    return F.col("group_id").isNull() & F.col("context_id").isin(sorted(unit.contexts))


def _held(execution: Execution, spark: SparkSession, rows: DataFrame) -> int:
    """How many entries hold another value than was written, of rows where another writer's entry had no date.

    Only the store knows whose write is later, so such rows are read back.
    """
    undated = rows.filter("is_undated")
    if not execution.counts.get("undated"):
        return 0
    stored = StoredRows(
        spark, execution.session, execution.settings.target, spark_options(execution.connection),
        epoch_milliseconds(execution.record.as_of), execution.settings.metrics.scores_in_course,
    )  # fmt: skip
    with execution.steps("read back"):
        families = tuple(execution.settings.metrics.families)
        tables = [table for table in TARGET_TABLES if table.holds == METRICS]
        held = [stored_entries(table, stored.rows(table, names(table.name, families)), families) for table in tables]
        now = reduce(DataFrame.unionByName, held)
        wanted = entries_that_differ(undated, families)
        key = ["table", *KEY_COLUMNS, "metric"]
        joined = wanted.join(now, [wanted[name].eqNullSafe(now[name]) for name in key], how="left")
        return joined.filter(~F.col("after").eqNullSafe(F.col("held"))).count()
