"""`run --incremental`: reads what has changed since the last run, and only what that concerns."""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import SparkSession

from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.run import changing
from activity_aggregates.run.comparison import read_groups
from activity_aggregates.run.computation import check_refused_share, read_enrolments
from activity_aggregates.run.concerned import DATED, find_concerned
from activity_aggregates.run.description import description
from activity_aggregates.run.execution import Execution
from activity_aggregates.run.opening import open_comparison, open_sources
from activity_aggregates.run.refused import keep_refused
from activity_aggregates.run.unfinished import Base
from activity_aggregates.sources.tables import PROGRESS
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, AGGREGATE_TABLES


def stage_changes(
    execution: Execution, spark: SparkSession, directory: RunDirectory, base: Base, keeps_quarantine: bool
) -> None:
    """Compute, compare and stage what has changed; raises CheckFailed where a limit is passed."""
    chosen, counts, steps = execution.settings, execution.counts, execution.steps
    sources = open_sources(execution, spark, not_looked_through=[PROGRESS])
    sources.check_dated(DATED)
    since = base.last.as_of - timedelta(seconds=chosen.incremental.lookback)
    steps.say(f"looking for changes since {since.isoformat()}: run {base.last.run_id} has seen those before")
    comparison = open_comparison(execution, spark, directory)
    found = find_concerned(
        sources, comparison.stored, comparison.catalog, epoch_milliseconds(since), base.touched, counts, steps
    )
    described = description(sources, chosen.metadata)
    enrolled = read_enrolments(found.sources, counts, steps, described.fields)
    keep_refused(execution, enrolled.refused, keeps_quarantine)
    check_refused_share(counts, chosen.limits.refused_share)
    execution.lease.check()
    sizes = _sizes(base.whole)
    lookups = changing.Lookups(sizes, chosen.incremental.rows_per_lookup, steps)
    computed = changing.compute(found, enrolled, comparison.catalog, chosen.metrics, directory, lookups, counts)
    keep_refused(execution, computed.refused, keeps_quarantine)
    execution.lease.check()
    group = None
    if found.groups is not None:
        group = read_groups(sources, counts, steps, found.groups.affected)
        keep_refused(execution, group.refused, keeps_quarantine)
    changing.stage(comparison, computed, group, described, lookups)
    tables = AGGREGATE_TABLES if group else (ACTIVITY_USER_AGG, ACTIVITY_AGG)
    comparison.check_retracted_share(tables, chosen.limits, sizes)
    spark.catalog.clearCache()


def _sizes(whole: RunRecord) -> dict[str, int]:
    """How many rows there were of the progress and of each target table when all of them were read."""
    sizes = {name.removeprefix("after."): rows for name, rows in whole.counts.items() if name.startswith("after.")}
    return sizes | {"progress": whole.counts.get("read.progress", 0)}
