"""`run --incremental`: reads what has changed since the last run, and only what that concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.jobs import changing
from activity_aggregates.jobs.comparison import Comparison, read_groups
from activity_aggregates.jobs.computation import check_refused_share, read_enrolments
from activity_aggregates.jobs.concerned import DATED, find_concerned
from activity_aggregates.jobs.description import description
from activity_aggregates.jobs.execution import Execution
from activity_aggregates.jobs.opening import open_sources
from activity_aggregates.jobs.unfinished import Base
from activity_aggregates.tables.cassandra import spark_options
from activity_aggregates.tables.instants import epoch_milliseconds
from activity_aggregates.tables.ledger import RunRecord
from activity_aggregates.tables.sources import PROGRESS
from activity_aggregates.tables.staging import RunDirectory
from activity_aggregates.tables.stored import Stored
from activity_aggregates.tables.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, AGGREGATE_TABLES

Quarantine = Callable[[Mapping[str, DataFrame]], None]


def stage_changes(
    execution: Execution, spark: SparkSession, directory: RunDirectory, base: Base, quarantine: Quarantine
) -> None:
    """Compute, compare and stage what has changed; raises CheckFailed where a limit is passed."""
    chosen, counts, steps = execution.settings, execution.counts, execution.steps
    options = spark_options(execution.connection)
    sources = open_sources(execution, spark, not_looked_through=[PROGRESS])
    sources.check_dated(DATED)
    stored = Stored(spark, chosen.target, options)
    since = base.last.as_of - timedelta(seconds=chosen.incremental.lookback)
    steps.say(f"looking for changes since {since.isoformat()}: run {base.last.run_id} has seen those before")
    comparison = Comparison(
        stored, execution.record.scope, epoch_milliseconds(execution.record.as_of),
        chosen.metrics.scores_in_course, directory, counts, steps,
    )  # fmt: skip
    found = find_concerned(sources, stored, comparison.catalog, epoch_milliseconds(since), base.touched, counts, steps)
    described = description(sources, chosen.metadata)
    enrolled = read_enrolments(found.sources, counts, steps, described.fields)
    quarantine(enrolled.refused)
    check_refused_share(counts, chosen.limits.refused_share)
    execution.lease.check()
    lookups = changing.Lookups(_sizes(base.whole), chosen.incremental.rows_per_lookup, steps)
    computed = changing.compute(found, enrolled, comparison.catalog, chosen.metrics, directory, lookups, counts)
    quarantine(computed.refused)
    execution.lease.check()
    group = None
    if found.groups is not None:
        group = read_groups(sources, counts, steps, found.groups.affected)
        quarantine(group.refused)
    changing.stage(comparison, computed, group, described, lookups)
    tables = AGGREGATE_TABLES if group else (ACTIVITY_USER_AGG, ACTIVITY_AGG)
    comparison.check_retracted_share(tables, chosen.limits, _sizes(base.whole))


def _sizes(whole: RunRecord) -> dict[str, int]:
    """How many rows there were of the progress and of each target table when all of them were read."""
    sizes = {name.removeprefix("after."): rows for name, rows in whole.counts.items() if name.startswith("after.")}
    return sizes | {"progress": whole.counts.get("read.progress", 0)}
