"""Computes, compares and stages what is asked of a run."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.errors import BadRequest
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import EVERYTHING, Scope
from activity_aggregates.run import changing
from activity_aggregates.run.asked import Asked
from activity_aggregates.run.comparison import read_groups
from activity_aggregates.run.computation import aggregate, check_refused_share, read_enrolments
from activity_aggregates.run.concerned import DATED, Touched, find_concerned
from activity_aggregates.run.description import description
from activity_aggregates.run.execution import Execution, has_groups
from activity_aggregates.run.opening import open_comparison, open_sources
from activity_aggregates.run.refused import keep_refused
from activity_aggregates.run.units import contexts_of
from activity_aggregates.sources.tables import PROGRESS
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, AGGREGATE_TABLES


def stage(
    execution: Execution,
    spark: SparkSession,
    directory: RunDirectory,
    asked: Asked,
    *,
    keeps_quarantine: bool,
    share: float = 1.0,
) -> None:
    """Compute, compare and stage what is asked for, or the changes of a share of it.

    Raises CheckFailed where a limit is passed, before anything is written; nothing stops an erase.
    """
    if asked.changed is not None:
        raise BadRequest(f"--changed {asked.changed} cannot be carried out yet: run with --incremental")
    if asked.erasing:
        limits = replace(execution.settings.limits, refused_share=1.0, retracted_share=1.0)
        execution.settings = replace(execution.settings, limits=limits)
    if asked.since is not None:
        stage_changes(execution, spark, directory, asked, keeps_quarantine=keeps_quarantine)
    else:
        stage_all(execution, spark, directory, asked, keeps_quarantine, share)


def _scope(execution: Execution, spark: SparkSession, asked: Asked) -> Scope:
    """Of a backfill without contexts, with those that are found; of an erase, everything."""
    if asked.erasing:
        return EVERYTHING
    if asked.window is None:
        return asked.scope
    options = spark_options(execution.connection)
    found = contexts_of(spark, execution.settings, options, asked.scope, asked.window)
    if asked.scope.contexts:
        found = found.filter(F.col("context_id").isin(sorted(asked.scope.contexts)))
    return replace(asked.scope, contexts=frozenset(row[0] for row in found.distinct().collect()))


def stage_all(
    execution: Execution,
    spark: SparkSession,
    directory: RunDirectory,
    asked: Asked,
    keeps_quarantine: bool,
    share: float,
) -> None:
    chosen, counts, steps = execution.settings, execution.counts, execution.steps
    sources = open_sources(execution, spark)
    described = description(sources, chosen.metadata)
    enrolled = read_enrolments(sources, counts, steps, described.fields)
    keep_refused(execution, enrolled.refused, keeps_quarantine)
    check_refused_share(counts, chosen.limits.refused_share)
    execution.lease.check()
    computed = aggregate(sources, enrolled, chosen.metrics, directory, counts, steps)
    keep_refused(execution, computed.refused, keeps_quarantine)
    execution.lease.check()
    comparison = open_comparison(execution, spark, directory, _scope(execution, spark, asked), share)
    tables = [ACTIVITY_USER_AGG, ACTIVITY_AGG]
    if has_groups(chosen.sources):
        tables = list(AGGREGATE_TABLES)
        group = read_groups(sources, counts, steps)
        keep_refused(execution, group.refused, keeps_quarantine)
        learners = comparison.stage_activities(enrolled, computed, group.members, described)
        comparison.stage_groups(enrolled, computed, group, learners)
    else:
        steps.say("no group part: sources.groups and sources.group_members are not configured")
        comparison.stage_activities(enrolled, computed, None, described)
    comparison.check_retracted_share(tables, chosen.limits)
    spark.catalog.clearCache()


def stage_changes(
    execution: Execution, spark: SparkSession, directory: RunDirectory, asked: Asked, keeps_quarantine: bool
) -> None:
    """Compute, compare and stage what has changed; raises CheckFailed where a limit is passed."""
    chosen, counts, steps = execution.settings, execution.counts, execution.steps
    assert asked.since is not None
    assert asked.last_full is not None
    sources = open_sources(execution, spark, not_looked_through=[PROGRESS])
    sources.check_dated(DATED)
    comparison = open_comparison(execution, spark, directory, EVERYTHING)
    touched = Touched(
        spark.createDataFrame([(context,) for context in sorted(asked.whole)], "context_id string"),
        spark.createDataFrame([], "group_id string"),
    )
    found = find_concerned(
        sources, comparison.stored, comparison.catalog, epoch_milliseconds(asked.since), touched, counts, steps
    )
    described = description(sources, chosen.metadata)
    enrolled = read_enrolments(found.sources, counts, steps, described.fields)
    keep_refused(execution, enrolled.refused, keeps_quarantine)
    check_refused_share(counts, chosen.limits.refused_share)
    execution.lease.check()
    sizes = {**asked.sizes, "progress": asked.last_full.counts.get("read.progress", 0)}
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
