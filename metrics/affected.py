"""Which contexts have enrolments of some courses and learners, or enrolments to which something happened in a time."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.names import context_id
from metrics.refusals import any_blank


def affected_contexts(
    enrolments: DataFrame, course_ids: Iterable[str] | None, users: Iterable[str], is_in_time: Column
) -> DataFrame:
    """(context_id) of the enrolment rows of these courses and users; None, and no user, are all of them."""
    wanted = is_in_time & ~any_blank("user_id", "course_id", "batch_id")
    if course_ids is not None:
        wanted &= F.col("course_id").isin(sorted(course_ids))
    if listed := sorted(users):
        wanted &= F.col("user_id").isin(listed)
    return enrolments.filter(wanted).select(context_id().alias("context_id")).distinct()


def happened(start: Column | None, end: Column | None) -> Column:
    """Whether a learner enrolled, completed the course or last used it from `start` on and before `end`."""

    def is_within(instant: Column) -> Column:
        is_after = instant >= start if start is not None else F.lit(True)
        is_before = instant < end if end is not None else F.lit(True)
        return instant.isNotNull() & is_after & is_before

    instants = (F.col("enrolled_on"), F.col("completed_on"), F.col("accessed_on"))
    return reduce(lambda one, other: one | other, map(is_within, instants))


def of_activities(activities: Iterable[tuple[str | None, str]]) -> Column:
    """Whether a row of the catalog is of one of these (type, id), a type of None being any."""
    return reduce(lambda one, other: one | other, (is_activity(kind, name) for kind, name in activities), F.lit(False))


def is_activity(kind: str | None, name: str) -> Column:
    """Whether a row is of this activity, a type of None being any."""
    is_named = F.col("activity_id") == name
    return is_named if kind is None else is_named & (F.col("activity_type") == kind)
