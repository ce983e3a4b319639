"""Applies the staged change sets of a run, table by table, and holds the counts against each other."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.errors import Unreachable
from activity_aggregates.jobs.comparison import CATALOG
from activity_aggregates.jobs.execution import Execution
from activity_aggregates.tables.apply import AnyPlan, ApplyPlan, CatalogPlan, MetadataPlan, WriteLimits, apply_changes
from activity_aggregates.tables.instants import epoch_milliseconds
from activity_aggregates.tables.ledger import SUCCEEDED
from activity_aggregates.tables.staging import RunDirectory, Staging
from activity_aggregates.tables.stored import METADATA_COLUMN
from activity_aggregates.tables.targets import ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable


def apply_staged(execution: Execution, spark: SparkSession, staging: Staging, directory: RunDirectory) -> int:
    """Write every staged row, check that all were acknowledged, and end the run as succeeded."""
    write_staged(execution, spark, directory)
    counts = execution.counts
    execution.end(SUCCEEDED)
    staging.delete(directory.work(""))
    retracted = sum(rows for name, rows in counts.items() if name.startswith("retracted."))
    refused = sum(rows for name, rows in counts.items() if name.startswith("refused."))
    print(
        f"run {execution.record.run_id} succeeded: {counts['written']} rows written, "
        f"{retracted} of them retracted, {refused} source rows refused"
    )
    return 0


def write_staged(execution: Execution, spark: SparkSession, directory: RunDirectory) -> None:
    """Write every staged row; raises Unreachable where some were not acknowledged."""
    counts = execution.counts
    counts["written"] = 0
    for table in AGGREGATE_TABLES:
        if f"changed.{table.name}" in counts:
            counts[f"written.{table.name}"] = _apply_table(execution, spark, directory, table)
            counts["written"] += counts[f"written.{table.name}"]
    if f"changed.{ACTIVITY_METADATA.name}" in counts:
        counts[f"written.{ACTIVITY_METADATA.name}"] = _apply_metadata(execution, spark, directory)
    counts[f"written.{CATALOG}"] = _apply_catalog(execution, spark, directory)


def _apply_table(execution: Execution, spark: SparkSession, directory: RunDirectory, table: TargetTable) -> int:
    if not execution.counts[f"changed.{table.name}"]:
        return 0
    target, record = execution.settings.target, execution.record
    plan = ApplyPlan(
        connection=execution.connection, keyspace=target.keyspace, table=target.tables[table.name], key=table.key,
        agg=target.columns.agg, agg_last_updated=target.columns.agg_last_updated,
        as_of_ms=epoch_milliseconds(record.as_of), write_time=record.write_time,
        writes=write_limits(execution), ticket=execution.lease.ticket,
    )  # fmt: skip
    return _applied(execution, changed_rows(spark, directory, table), table.name, plan)


def _apply_metadata(execution: Execution, spark: SparkSession, directory: RunDirectory) -> int:
    target, table = execution.settings.target, ACTIVITY_METADATA
    if not execution.counts[f"changed.{table.name}"]:
        return 0
    plan = MetadataPlan(
        connection=execution.connection, keyspace=target.keyspace, table=target.tables[table.name], key=table.key,
        column=METADATA_COLUMN, write_time=execution.record.write_time,
        writes=write_limits(execution), ticket=execution.lease.ticket,
    )  # fmt: skip
    return _applied(execution, changed_rows(spark, directory, table), table.name, plan)


def changed_rows(spark: SparkSession, directory: RunDirectory, table: TargetTable) -> DataFrame:
    """The rows of a table that the run changes."""
    return spark.read.parquet(directory.changes(table.name)).filter(F.col("is_changed"))


def _apply_catalog(execution: Execution, spark: SparkSession, directory: RunDirectory) -> int:
    if not execution.counts[f"changed.{CATALOG}"]:
        return 0
    target = execution.settings.target
    plan = CatalogPlan(
        connection=execution.connection, keyspace=target.keyspace, table=target.tables[CATALOG],
        write_time=execution.record.write_time, writes=write_limits(execution), ticket=execution.lease.ticket,
    )  # fmt: skip
    return _applied(execution, spark.read.parquet(directory.changes(CATALOG)), CATALOG, plan)


def _applied(execution: Execution, changes: DataFrame, table: str, plan: AnyPlan) -> int:
    return send_rows(execution, changes, execution.counts[f"changed.{table}"], f"write {table}", plan)


def send_rows(execution: Execution, changes: DataFrame, staged: int, phase: str, plan: AnyPlan) -> int:
    """Send the rows of one table, `staged` in number; raises Unreachable where fewer were acknowledged."""
    execution.lease.check()
    tasks = max(-(-staged // execution.settings.writes.rows_per_task), _parallelism(changes, staged))
    done = changes.sparkSession.sparkContext.accumulator(0)
    with execution.steps(phase) as step:
        step.of, step.rows_so_far = staged, lambda: int(done.value)
        applied = apply_changes(changes.repartition(tasks), plan, done, tasks)
        step.rows = applied.rows
    if applied.rows != staged:
        missing = staged - applied.rows
        raise Unreachable(f"{missing} of {staged} rows of {plan.table} were not acknowledged: run again")
    return applied.rows


def _parallelism(changes: DataFrame, staged: int) -> int:
    """As many tasks as there are cores, unless the rows are few: a task costs a connection."""
    cores = changes.sparkSession.sparkContext.defaultParallelism
    return min(cores, -(-staged // _ROWS_WORTH_A_TASK))


_ROWS_WORTH_A_TASK = 1000


def write_limits(execution: Execution) -> WriteLimits:
    """The bounds of writing, as the settings say."""
    writes = execution.settings.writes
    return WriteLimits(
        batch_rows=writes.batch_rows, batch_bytes=writes.batch_bytes, in_flight=writes.in_flight,
        rows_per_second=writes.rows_per_second, retry_seconds=writes.retry_seconds,
    )  # fmt: skip
