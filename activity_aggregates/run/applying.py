"""Applies the staged rows of a run, and holds the counts against each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import change_counts, in_record
from activity_aggregates.changes.entries import entries_that_differ, stored_entries
from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.errors import Unreachable
from activity_aggregates.protocol.asked import Unit
from activity_aggregates.protocol.execution import STAGED, Execution
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.spark.sizing import cores
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.records import HELD
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import AGGREGATE_TABLES, KEY_COLUMNS, TARGET_TABLES
from activity_aggregates.writing.apply import apply_changes
from activity_aggregates.writing.encoding import Times
from activity_aggregates.writing.plans import Plan, WriteLimits
from metrics.declarations import names

_ROWS_WORTH_A_TASK = 1000
_OF_UNITS = ("changed", "added", "retracted", "lowered", "undated")  # what is counted of the rows of a unit
UNDATED = "undated"  # a count of changed rows in which another writer's entry has no date


def apply_staged_rows(execution: Execution, spark: SparkSession, unit: Unit | None = None) -> None:
    """Write every staged row, or those of one unit; raises Unreachable where some are gone or not acknowledged."""
    counts = execution.counts
    rows = changes_of(execution, spark, unit)
    # Also of a resumed run, which writes all of it again.
    counts |= {"written": 0} | {f"written.{table.name}": 0 for table in TARGET_TABLES}
    if not execution.staged_rows:
        return
    if rows is None:
        raise execution.gone()
    written = send_rows(execution, rows, execution.staged_rows, "write", plan_of(execution, _times(execution)))
    counts |= {f"written.{name}": number for name, number in written.items()}
    counts["written"] = sum(written.get(table.name, 0) for table in AGGREGATE_TABLES)
    counts[HELD] = _held(execution, spark, unit)


def _times(execution: Execution) -> Times:
    is_ordered = execution.settings.writes.ordering == "write_time"
    write_time = execution.record.write_time if is_ordered else None
    return Times(write_time, epoch_milliseconds(execution.record.as_of))


def plan_of(execution: Execution, times: Times, deletes: Mapping[str, tuple[str, ...]] | None = None) -> Plan:
    """How the rows of this run are written; with `deletes`, keys by table, whole rows go."""
    target, writes = execution.settings.target, execution.settings.writes
    limits = WriteLimits(
        batch_rows=writes.batch_rows, batch_bytes=writes.batch_bytes, in_flight=writes.in_flight,
        rows_per_second=writes.rows_per_second, retry_seconds=writes.retry_seconds,
    )  # fmt: skip
    selection = execution.selection
    return Plan(
        connection=execution.connection, keyspace=target.keyspace, deployed=target.tables,
        metrics={table.name: names(table.name, selection) for table in TARGET_TABLES},
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


def units_of(execution: Execution, spark: SparkSession) -> dict[Unit, dict[str, int]]:
    """The contexts that rows are staged of, one by one, and the rows that are of no context, each with its counts."""
    rows = changes_of(execution, spark)
    if rows is None:
        return {Unit(): {STAGED: 0}}
    counts = [F.count(F.lit(1)).alias(STAGED)]
    for table in TARGET_TABLES:
        metrics = names(table.name, execution.selection)
        counts += change_counts(table, metrics, _OF_UNITS) if metrics or table.holds_texts else []
    grouped = (row.asDict() for row in rows.groupBy("context_id").agg(*counts).collect())
    found = {observed.pop("context_id"): _summed_up(in_record(observed)) for observed in grouped}
    of_groups = found.pop(None, {STAGED: 0})
    return {Unit(frozenset([context])): found[context] for context in sorted(found)} | {Unit(): of_groups}


def _summed_up(counts: dict[str, int]) -> dict[str, int]:
    """Those of undated rows are one for all tables."""
    return counts | {UNDATED: sum(counts.pop(f"{UNDATED}.{table.name}", 0) for table in TARGET_TABLES)}


def rows_of(execution: Execution, spark: SparkSession, unit: Unit | None) -> int:
    """How many rows are staged, or how many of a unit, and can be read in all of their columns."""
    if (rows := changes_of(execution, spark, unit)) is None:
        return 0
    seen = Observation()
    observed = rows.observe(seen, F.count(F.lit(1)).alias("rows"))
    observed.write.format("noop").mode("overwrite").save()  # a count alone would read no column
    return int(seen.get["rows"])


def changes_of(execution: Execution, spark: SparkSession, unit: Unit | None = None) -> DataFrame | None:
    """The changed rows that are staged, or those of one unit; None where nothing is staged."""
    directory = RunDirectory(execution.record.staging_dir)
    paths = Staging(spark, directory.path).parts(directory)
    if not paths:
        return None
    rows = changed_rows(spark, paths, execution.selection)
    return rows if unit is None else rows.filter(_is_of(unit))


def _is_of(unit: Unit) -> Column:
    context = F.col("context_id")
    return context.isNull() if unit.is_of_groups else context.isin(sorted(unit.contexts))


def stored_rows_of(execution: Execution, spark: SparkSession, *, are_few: bool = False) -> StoredRows:
    """The stored rows as a run sees them."""
    return StoredRows(
        spark, execution.session, execution.settings.target, spark_options(execution.connection),
        epoch_milliseconds(execution.record.as_of), execution.settings.metrics.scores_in_course, are_few,
        execution.selection.carry,
    )  # fmt: skip


def held_entries(
    execution: Execution, spark: SparkSession, only_undated: bool, unit: Unit | None = None
) -> DataFrame | None:
    """(table, key, metric, and after and held, of texts text_after and text_held) of entries that hold another value.

    Read back now are the staged entries, as they were written.

    With `only_undated`, of rows where another writer's entry had no date: only the store knows whose write is later.
    With `unit`, of its rows alone: what is staged beside them may not be written yet. None where nothing is staged.
    """
    rows, selection = changes_of(execution, spark, unit), execution.selection
    if rows is None:
        return None
    wanted = entries_that_differ(rows.filter("is_undated") if only_undated else rows, selection)
    stored = stored_rows_of(execution, spark)
    tables = [table for table in TARGET_TABLES if names(table.name, selection)]
    tables += [] if only_undated else [table for table in TARGET_TABLES if table.holds_texts]  # texts have no dates
    read = (stored_entries(table, stored.rows(table, names(table.name, selection)), selection) for table in tables)
    now = reduce(DataFrame.unionByName, read)
    entry = ("table", *KEY_COLUMNS, "metric")
    is_same = [F.col(f"wanted.{column}").eqNullSafe(F.col(f"now.{column}")) for column in entry]
    joined = wanted.alias("wanted").join(now.alias("now"), is_same, how="left")
    joined = joined.filter("NOT (after <=> held AND text_after <=> text_held)")
    key = F.concat_ws(" ", *(F.col(f"wanted.{column}") for column in KEY_COLUMNS))
    values = ("after", "held", "text_after", "text_held")
    return joined.select("wanted.table", key.alias("key"), "wanted.metric", *values)


def _held(execution: Execution, spark: SparkSession, unit: Unit | None) -> int:
    """How many of the entries just written hold another writer's value.

    Looked at are rows with another writer's undated entry, or all, where others may have won over dated ones.
    """
    if not execution.counts.get(UNDATED) and not execution.reads_back:
        return 0
    with execution.steps("read back"):
        found = held_entries(execution, spark, only_undated=not execution.reads_back, unit=unit)
        return 0 if found is None else found.count()
