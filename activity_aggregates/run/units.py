"""The units of a backfill: scopes of one context each, as its record names them or as they are found in the sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.request.backfills import Backfill, Window
from activity_aggregates.request.scope import Scope
from activity_aggregates.sources.tables import ENROLMENT_DATES, ENROLMENTS, Sources
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.erased import NOBODY
from activity_aggregates.store.stored_rows import Stored
from metrics.affected import affected_contexts, happened, of_activities
from metrics.names import COURSE


def units_of(spark: SparkSession, chosen: settings.Settings, environ: Mapping[str, str], plan: Backfill) -> list[Scope]:
    """The scopes to run, in the order of their contexts; a scope with groups is one unit."""
    if plan.scope.groups:
        return [plan.scope]
    contexts: Iterable[str] = plan.scope.contexts
    if not plan.names_its_units:
        options = spark_options(connection(chosen.cassandra, environ))
        found = _contexts(spark, chosen, options, plan)
        if plan.scope.contexts:
            found = found.filter(F.col("context_id").isin(sorted(plan.scope.contexts)))
        contexts = [row[0] for row in found.distinct().collect()]
    return [replace(plan.scope, contexts=frozenset([context])) for context in sorted(contexts)]


def _contexts(spark: SparkSession, chosen: settings.Settings, options: Mapping[str, str], plan: Backfill) -> DataFrame:
    """Contexts with enrolments of the courses, learners and time, or that once had the activities.

    To which courses a unit or a quiz belongs, and what a context had that nobody is enrolled in any more, is known from
    the catalog.
    """
    table = ENROLMENT_DATES if plan.window else ENROLMENTS
    # Contexts come of it and nothing else: the runs themselves leave out who was erased.
    enrolments = Sources(spark, chosen.sources, options, NOBODY, [table]).frame(table)
    is_in_time = happened(*_ends(plan.window)) if plan.window else F.lit(True)
    if not plan.scope.activities:
        return affected_contexts(enrolments, None, plan.scope.users, is_in_time)
    catalog = Stored(spark, chosen.target, options).catalog()
    of_these = catalog.filter(of_activities(plan.scope.activities))
    named = {name for kind, name in plan.scope.activities if kind in (None, COURSE)}
    course_ids = named | {row[0] for row in of_these.select("course_id").distinct().collect()}
    found = affected_contexts(enrolments, course_ids, plan.scope.users, is_in_time)
    if plan.scope.users or plan.window:
        return found
    return found.union(of_these.select("context_id"))


def _ends(window: Window) -> tuple[Column | None, Column | None]:
    return F.lit(window.start) if window.start else None, F.lit(window.end) if window.end else None
