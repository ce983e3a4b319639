"""What a change concerns: the learners, contexts, courses and groups whose rows may come out differently.

A learner in a context is a pair (user_id, context_id): every row of activity_user_agg belongs to one.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.groups import GROUP_ACTIVITY_KEY
from metrics.maps import published
from metrics.names import COURSE, context_id
from metrics.refusals import any_blank

PAIR = ("user_id", "context_id")
ACTIVITY = ("activity_type", "activity_id")


def is_changed_since(since_ms: int) -> Column:
    """Whether `changed_at` is at or after an instant; a row that does not say when it was changed may have been."""
    return F.coalesce(F.unix_millis("changed_at") >= F.lit(since_ms), F.lit(True))


def pairs(rows: DataFrame) -> DataFrame:
    """The distinct pairs of rows with (user_id, batch_id)."""
    named = rows.filter(~any_blank("user_id", "batch_id"))
    return named.select("user_id", context_id().alias("context_id")).distinct()


def contexts_of_courses(enrolments: DataFrame, catalog: DataFrame, course_ids: DataFrame) -> DataFrame:
    """(context_id) that has an enrolment in one of the courses, or by the catalog had one; not distinct."""
    has = enrolments.join(course_ids, "course_id", how="left_semi").filter(~any_blank("batch_id"))
    had = catalog.join(course_ids, "course_id", how="left_semi")
    return has.select(context_id().alias("context_id")).union(had.select("context_id"))


def in_contexts(enrolments: DataFrame, contexts: DataFrame) -> DataFrame:
    """The enrolment rows of some contexts."""
    placed = enrolments.withColumn("context_id", context_id())
    return placed.join(contexts, "context_id", how="left_semi").drop("context_id")


def of_pairs(rows: DataFrame, some: DataFrame) -> DataFrame:
    """The rows with (user_id, batch_id) whose pair is among `some`."""
    placed = rows.withColumn("pair_context", context_id())
    wanted = some.withColumnRenamed("context_id", "pair_context")
    return placed.join(wanted, ["user_id", "pair_context"], how="left_semi").drop("pair_context")


def moved_contexts(owners: DataFrame, catalog: DataFrame) -> DataFrame:
    """(context_id) where an activity belongs to another course than before: it loses some learners and gains others."""
    before = catalog.select(*ACTIVITY_IN_CONTEXT, F.col("course_id").alias("course_id_before"))
    both = owners.join(before, list(ACTIVITY_IN_CONTEXT), how="inner")
    return both.filter(F.col("course_id") != F.col("course_id_before")).select("context_id").distinct()


def activities_of_courses(catalog: DataFrame, course_ids: DataFrame) -> DataFrame:
    """(activity_type, activity_id) of the courses, and of their units and quizzes in the catalog; not distinct."""
    courses = course_ids.select(F.lit(COURSE).alias("activity_type"), F.col("course_id").alias("activity_id"))
    return courses.union(catalog.join(course_ids, "course_id", how="left_semi").select(*ACTIVITY))


def courses_of_activities(catalog: DataFrame, activities: DataFrame) -> DataFrame:
    """(course_id) of the courses among the activities, and of those that have the others; not distinct."""
    courses = activities.filter(F.col("activity_type") == COURSE).select(F.col("activity_id").alias("course_id"))
    return courses.union(catalog.join(activities, list(ACTIVITY), how="left_semi").select("course_id"))


def differing_groups(activities: DataFrame, members: DataFrame, stored: DataFrame) -> DataFrame:
    """(group_id) whose activities or number of members are not those of its stored rows; not distinct.

    `activities` has the keys of group_activity_agg, `members` (group_id, user_id), `stored` the rows of
    group_activity_agg. A list of activities has no write time of its own, and who is deleted has none either.
    """
    key = list(GROUP_ACTIVITY_KEY)
    sizes = members.groupBy("group_id").agg(F.count(F.lit(1)).alias("members"))
    present = activities.join(sizes, "group_id", how="left").select(
        *key, F.coalesce("members", F.lit(0)).cast("double").alias("present")
    )
    before = stored.select(*key, published("member_count").alias("before"))
    return (
        present.join(before, key, how="full").filter(~F.col("present").eqNullSafe(F.col("before"))).select("group_id")
    )


def distinct_ids(*frames: DataFrame) -> DataFrame:
    """The distinct rows of frames of the same columns, without nulls."""
    return reduce(DataFrame.union, frames).na.drop().distinct()
