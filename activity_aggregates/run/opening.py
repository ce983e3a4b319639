"""Opens what a command reads: sources, with nobody in them who was erased, and what is stored, to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.comparison import Comparison
from activity_aggregates.run.execution import Execution
from activity_aggregates.sources.tables import Sources, SourceTable
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.stored_rows import Stored


def open_sources(execution: Execution, spark: SparkSession, not_looked_through: Sequence[SourceTable] = ()) -> Sources:
    """The configured sources; where somebody was erased, their ids are looked through first, and counted."""
    with execution.steps("open sources"):
        sources = Sources(
            spark, execution.settings.sources, spark_options(execution.connection), execution.erased,
            not_looked_through=not_looked_through,
        )  # fmt: skip
    if execution.erased.hashes:
        with execution.steps("find erased learners") as step:
            found = sources.erased_users
            step.rows = found.count() if found is not None else 0
        execution.counts["counted.erased_learners"] = step.rows
    return sources


def open_comparison(
    execution: Execution, spark: SparkSession, directory: RunDirectory, scope: Scope, share: float = 1.0
) -> Comparison:
    """The comparison of a run's rows, or of a share of them, with what is stored."""
    stored = Stored(spark, execution.settings.target, spark_options(execution.connection))
    return Comparison(
        stored, scope, epoch_milliseconds(execution.record.as_of),
        execution.settings.metrics.scores_in_course, directory, execution.counts, execution.steps, share,
    )  # fmt: skip
