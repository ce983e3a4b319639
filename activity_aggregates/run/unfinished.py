"""Runs that stopped half-way through writing: an incremental run starts from a completed base, or knows what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.staging import RunDirectory, Staging
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.applying import apply_staged
from activity_aggregates.run.execution import Execution, written_scope
from activity_aggregates.run.steps import Steps
from activity_aggregates.store.ledger import APPLYING, RunRecord
from activity_aggregates.store.targets import AGGREGATE_TABLES


@dataclass(frozen=True)
class Touched:
    """(context_id) and (group_id) whose rows may be half-written."""

    contexts: DataFrame
    groups: DataFrame


@dataclass(frozen=True)
class Base:
    """What an incremental run starts from: the last full success, the last that read everything, what is touched."""

    last: RunRecord
    whole: RunRecord
    touched: Touched


class NoBase(Exception):
    """There is nothing to start from, and why."""


def complete_base(execution: Execution, spark: SparkSession, staging: Staging, may_write: bool) -> Base:
    """Apply what unfinished runs have staged, oldest first; what a newer run has superseded is touched instead.

    Without `may_write` everything unfinished is. Raises NoBase where no full run has succeeded, or where it is not
    known any more what a run that stopped half-way was to write.
    """
    before = execution.ledger.last_whole()
    if before is None:
        raise NoBase("no full run has succeeded yet")
    erased_at = execution.erased.newest
    if erased_at and before.finished_at and erased_at > before.finished_at:
        raise NoBase("learners are being erased, whom the last full run has counted")
    left: list[RunDirectory] = []
    for run in reversed(execution.ledger.incomplete()):
        directory = RunDirectory(run.staging_dir)
        if not staging.exists(run.staging_dir):
            raise NoBase(f"the staged changes of run {run.run_id}, which is {run.status}, are gone")
        written = written_scope(run.scope, execution.settings.sources)
        is_superseded = execution.ledger.superseding(run.write_time, run.as_of, written) is not None
        if may_write and run.is_resumable and not is_superseded:
            execution.steps.say(f"run {run.run_id} is {run.status}: applying what it has staged first")
            _apply(execution, spark, staging, run)
        else:
            left.append(directory)
    last, whole = execution.ledger.last_success(), execution.ledger.last_whole()
    assert last is not None
    assert whole is not None
    touched = Touched(*(_touched(spark, staging, left, column) for column in ("context_id", "group_id")))
    return Base(last, whole, touched)


def _apply(execution: Execution, spark: SparkSession, staging: Staging, run: RunRecord) -> None:
    """Under this run's lease and in that run's name."""
    steps = Steps(execution.steps.format, execution.steps.out, spark, dict(run.phases))
    other = replace(execution, record=run, steps=steps, counts=dict(run.counts), written=Scope())
    with other.recorded():
        other.save(status=APPLYING, finished_at=None, message=f"finished by run {execution.record.run_id}")
        apply_staged(other, spark, staging, RunDirectory(run.staging_dir))


def _touched(spark: SparkSession, staging: Staging, directories: list[RunDirectory], column: str) -> DataFrame:
    """The distinct values of a key column in the changes that were staged."""
    names = [table.name for table in AGGREGATE_TABLES if column in table.key]
    paths = [directory.changes(name) for directory in directories for name in names]
    staged = spark.createDataFrame([], f"{column} string, is_changed boolean")
    if present := [path for path in paths if staging.exists(path)]:
        staged = spark.read.schema(staged.schema).parquet(*present)
    return staged.filter(F.col("is_changed")).select(column).distinct()
