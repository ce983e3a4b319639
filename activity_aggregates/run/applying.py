"""Applies the staged change sets of a run, table by table, and holds the counts against each other."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.errors import Unreachable
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.run.execution import Execution
from activity_aggregates.spark.sizing import cores
from activity_aggregates.store.ledger import SUCCEEDED
from activity_aggregates.store.stored_rows import METADATA_COLUMN
from activity_aggregates.store.targets import ACTIVITY_CATALOG, ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable
from activity_aggregates.writing.apply import (
    AnyPlan,
    ApplyPlan,
    CatalogPlan,
    MetadataPlan,
    WriteLimits,
    apply_changes,
)


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
    counts, target, as_of_ms = execution.counts, execution.settings.target, epoch_milliseconds(execution.record.as_of)
    counts["written"] = 0
    for table in (table for table in AGGREGATE_TABLES if f"changed.{table.name}" in counts):
        plan = ApplyPlan(
            **place_of(execution, table.name), key=table.key, as_of_ms=as_of_ms,
            agg=target.columns.agg, agg_last_updated=target.columns.agg_last_updated,
        )  # fmt: skip
        counts["written"] += _write(execution, spark, directory, table, plan)
    if f"changed.{ACTIVITY_METADATA.name}" in counts:
        place, key = place_of(execution, ACTIVITY_METADATA.name), ACTIVITY_METADATA.key
        _write(execution, spark, directory, ACTIVITY_METADATA, MetadataPlan(**place, key=key, column=METADATA_COLUMN))
    plan_of_catalog = CatalogPlan(**place_of(execution, ACTIVITY_CATALOG.name))
    _write(execution, spark, directory, ACTIVITY_CATALOG, plan_of_catalog)


def place_of(execution: Execution, table: str) -> dict[str, Any]:
    """What every plan of writing a table says: where it is, when and how it is written."""
    target, writes = execution.settings.target, execution.settings.writes
    limits = WriteLimits(
        batch_rows=writes.batch_rows, batch_bytes=writes.batch_bytes, in_flight=writes.in_flight,
        rows_per_second=writes.rows_per_second, retry_seconds=writes.retry_seconds,
    )  # fmt: skip
    return {
        "connection": execution.connection, "keyspace": target.keyspace, "table": target.tables[table],
        "write_time": execution.record.write_time, "writes": limits, "ticket": execution.lease.ticket,
    }  # fmt: skip


def _write(
    execution: Execution, spark: SparkSession, directory: RunDirectory, table: TargetTable, plan: AnyPlan
) -> int:
    """Write what is staged of a table, if anything is, and count it."""
    staged = execution.counts[f"changed.{table.name}"]
    written = 0
    if staged:
        changes = changed_rows(spark, directory, table)
        written = send_rows(execution, changes, staged, f"write {table.name}", plan)
    execution.counts[f"written.{table.name}"] = written
    return written


def send_rows(execution: Execution, changes: DataFrame, staged: int, phase: str, plan: AnyPlan) -> int:
    """Send the rows of one table, `staged` in number; raises Unreachable where fewer were acknowledged."""
    execution.lease.check()
    tasks = max(-(-staged // execution.settings.writes.rows_per_task), _parallelism(changes, staged))
    done = changes.sparkSession.sparkContext.accumulator(0)
    with execution.steps(phase) as step:
        step.of, step.rows_so_far = staged, lambda: int(done.value)
        shared_out = changes.repartition(tasks) if tasks > 1 else changes.coalesce(1)
        applied = apply_changes(shared_out, plan, done, tasks)
        step.rows = applied.rows
    if applied.rows != staged:
        missing = staged - applied.rows
        raise Unreachable(f"{missing} of {staged} rows of {plan.table} were not acknowledged: run again")
    return applied.rows


def _parallelism(changes: DataFrame, staged: int) -> int:
    """As many tasks as there are cores, unless the rows are few: a task costs a connection."""
    return min(cores(changes.sparkSession), -(-staged // _ROWS_WORTH_A_TASK))


_ROWS_WORTH_A_TASK = 1000
