"""Opens the sources of a command: nobody who was erased is in them."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

from activity_aggregates.jobs.execution import Execution
from activity_aggregates.tables.cassandra import spark_options
from activity_aggregates.tables.sources import Sources, SourceTable


def open_sources(execution: Execution, spark: SparkSession, not_looked_through: Sequence[SourceTable] = ()) -> Sources:
    """The configured sources; where somebody was erased, their ids are looked through first, and counted."""
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
