"""Applies the staged change sets of a run, table by table, and holds the counts against each other."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.errors import Unreachable
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.run.asked import Unit
from activity_aggregates.run.execution import Execution
from activity_aggregates.store.stored_rows import METADATA_COLUMN
from activity_aggregates.store.targets import ACTIVITY_CATALOG, ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable
from activity_aggregates.writing.apply import (
    AnyPlan,
    ApplyPlan,
    CatalogPlan,
    MetadataPlan,
    WriteLimits,
    apply_changes,
    cores,
)

_TABLES = (*AGGREGATE_TABLES, ACTIVITY_METADATA, ACTIVITY_CATALOG)
_CONTEXT = "context_id"


def units_of(spark: SparkSession, directory: RunDirectory) -> list[Unit]:
    """The contexts that rows are staged of, one by one, and the rows that are of no context."""
    contexts: set[str] = set()
    for table in _staged_tables(spark, directory):
        if _CONTEXT in table.key:
            contexts |= {row[0] for row in changed_rows(spark, directory, table).select(_CONTEXT).distinct().collect()}
    return [*(Unit(frozenset([context])) for context in sorted(contexts)), Unit()]


def rows_of(spark: SparkSession, directory: RunDirectory, unit: Unit) -> int:
    """How many rows of a unit are staged."""
    return sum(
        _of_unit(changed_rows(spark, directory, table), unit).count() for table in _staged_tables(spark, directory)
    )


def _staged_tables(spark: SparkSession, directory: RunDirectory) -> list[TargetTable]:
    staging = Staging(spark, directory.path)
    return [table for table in _TABLES if staging.exists(directory.changes(table.name))]


def _of_unit(rows: DataFrame, unit: Unit | None) -> DataFrame:
    if unit is None:
        return rows
    if _CONTEXT in rows.columns:
        return rows.filter(F.col(_CONTEXT).isin(sorted(unit.contexts)))
    return rows if unit.is_of_groups else rows.limit(0)


def apply_staged_rows(
    execution: Execution, spark: SparkSession, directory: RunDirectory, unit: Unit | None = None
) -> None:
    """Write every staged row, of one unit only where it is given; raises Unreachable where not all arrived."""
    counts, target, as_of_ms = execution.counts, execution.settings.target, epoch_milliseconds(execution.record.as_of)
    counts["written"] = 0
    for table in (table for table in AGGREGATE_TABLES if f"changed.{table.name}" in counts):
        plan = ApplyPlan(
            **place_of(execution, table.name), key=table.key, as_of_ms=as_of_ms,
            agg=target.columns.agg, agg_last_updated=target.columns.agg_last_updated,
        )  # fmt: skip
        counts["written"] += _write(execution, spark, directory, table, plan, unit)
    if f"changed.{ACTIVITY_METADATA.name}" in counts:
        place, key = place_of(execution, ACTIVITY_METADATA.name), ACTIVITY_METADATA.key
        _write(
            execution, spark, directory, ACTIVITY_METADATA, MetadataPlan(**place, key=key, column=METADATA_COLUMN), unit
        )
    plan_of_catalog = CatalogPlan(**place_of(execution, ACTIVITY_CATALOG.name))
    _write(execution, spark, directory, ACTIVITY_CATALOG, plan_of_catalog, unit)


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
    execution: Execution,
    spark: SparkSession,
    directory: RunDirectory,
    table: TargetTable,
    plan: AnyPlan,
    unit: Unit | None,
) -> int:
    """Write what is staged of a table, if anything is, and count it."""
    staged = execution.counts[f"changed.{table.name}"]
    written = 0
    if staged:
        changes = _of_unit(changed_rows(spark, directory, table), unit)
        staged = staged if unit is None else changes.count()
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
