"""The contexts of a backfill that does not name them, as they are found in the sources."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.request.backfills import Window
from activity_aggregates.request.scope import Scope
from activity_aggregates.sources.tables import ENROLMENT_DATES, ENROLMENTS, Sources
from activity_aggregates.store.erased import NOBODY
from activity_aggregates.store.stored_rows import Stored
from metrics.affected import affected_contexts, happened, of_activities
from metrics.names import COURSE


def contexts_of(
    spark: SparkSession, chosen: settings.Settings, options: Mapping[str, str], scope: Scope, window: Window | None
) -> DataFrame:
    """Contexts with enrolments of the courses, learners and time, or that once had the activities.

    To which courses a unit or a quiz belongs, and what a context had that nobody is enrolled in any more, is known from
    the catalog.
    """
    table = ENROLMENT_DATES if window else ENROLMENTS
    # Contexts come of it and nothing else: the runs themselves leave out who was erased.
    enrolments = Sources(spark, chosen.sources, options, NOBODY, [table]).frame(table)
    is_in_time = happened(*_ends(window)) if window else F.lit(True)
    if not scope.activities:
        return affected_contexts(enrolments, None, scope.users, is_in_time)
    catalog = Stored(spark, chosen.target, options).catalog()
    of_these = catalog.filter(of_activities(scope.activities))
    named = {name for kind, name in scope.activities if kind in (None, COURSE)}
    course_ids = named | {row[0] for row in of_these.select("course_id").distinct().collect()}
    found = affected_contexts(enrolments, course_ids, scope.users, is_in_time)
    if scope.users or window:
        return found
    return found.union(of_these.select("context_id"))


def _ends(window: Window) -> tuple[Column | None, Column | None]:
    return F.lit(window.start) if window.start else None, F.lit(window.end) if window.end else None
