"""Groups: their active members and activities, and the metrics of both from the members' best contexts."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.declarations import Metric
from metrics.learners import ENTRIES, best_context_rank
from metrics.names import COURSE
from metrics.predicates import is_served_activity
from metrics.refusals import MISSING_KEY, any_blank, first_problem
from metrics.values import SIGN, sums, with_values

ACTIVE = "active"
GROUP_ACTIVITY_KEY = ("group_id", "activity_type", "activity_id")
MEMBER_KEY = (*GROUP_ACTIVITY_KEY, "user_id")
_ACTIVITY_OF_USER = ("activity_type", "activity_id", "user_id")


def assess_group_activities(groups: DataFrame) -> DataFrame:
    """(group_id, activity_type, activity_id, problem) for every activity listed by an active group."""
    listed = groups.filter(F.col("status") == ACTIVE).select("group_id", F.explode("activities").alias("activity"))
    activities = listed.select(
        "group_id", F.col("activity")["type"].alias("activity_type"), F.col("activity")["id"].alias("activity_id")
    )
    return activities.withColumn("problem", first_problem((MISSING_KEY, any_blank(*GROUP_ACTIVITY_KEY))))


def group_activities(accepted: DataFrame) -> DataFrame:
    """`GROUP_ACTIVITY_KEY` of the activities of the types that are served, a duplicate once."""
    return accepted.filter(is_served_activity()).select(*GROUP_ACTIVITY_KEY).distinct()


def unserved_activities() -> Column:
    """Aggregate over `assess_group_activities`, to be observed: accepted activities of other types, passed over."""
    return F.count_if(F.col("problem").isNull() & ~is_served_activity()).alias("unserved")


def assess_members(group_members: DataFrame) -> DataFrame:
    """(group_id, user_id, status, problem) of every row."""
    problem = first_problem((MISSING_KEY, any_blank("group_id", "user_id")))
    return group_members.select("group_id", "user_id", "status", problem.alias("problem"))


def members_by_activity(activities: DataFrame, accepted_members: DataFrame) -> DataFrame:
    """`MEMBER_KEY` for every active member of a group and every activity of the group."""
    return activities.join(active_members(accepted_members), "group_id", how="inner").select(*MEMBER_KEY)


def active_members(accepted_members: DataFrame) -> DataFrame:
    """(group_id, user_id), each once."""
    return accepted_members.filter(F.col("status") == ACTIVE).select("group_id", "user_id").distinct()


def course_rows(activities: DataFrame, catalog: DataFrame) -> DataFrame:
    """(group_id, activity_type, activity_id, course_id, context_id): where an activity of a group belongs to a course.

    Whoever has a Course row there is enrolled in the activity. `catalog` has (context_id, activity_type, activity_id,
    course_id).
    """
    places = catalog.select(*ACTIVITY_IN_CONTEXT, "course_id")
    return activities.join(places, ["activity_type", "activity_id"], how="inner").select(
        *GROUP_ACTIVITY_KEY, "course_id", "context_id"
    )


def enrolled_members(members: DataFrame, course_rows: DataFrame, learners: DataFrame) -> DataFrame:
    """`MEMBER_KEY` of the members with a row of the course that owns the activity, in a context where it does.

    `members` is `members_by_activity`, `learners` has `LEARNER_KEY` of the learners' rows as they will stand.
    """
    courses = learners.filter(F.col("activity_type") == COURSE).select(
        "user_id", F.col("activity_id").alias("course_id"), "context_id"
    )
    return (
        members.join(course_rows, list(GROUP_ACTIVITY_KEY), how="inner")
        .join(courses, ["user_id", "course_id", "context_id"], how="left_semi")
        .select(*MEMBER_KEY)
        .distinct()
    )


def member_rows(members: DataFrame, learners: DataFrame, names: Sequence[str]) -> DataFrame:
    """(`MEMBER_KEY`, `entries`, names…): each member's row of the best context, where there is any.

    `learners` has `LEARNER_KEY`, `entries` and the metrics of the learners' rows as they will stand.
    """
    values = [ENTRIES, *names]
    best = F.min_by(F.struct(*values), best_context_rank()).alias("best")
    joined = members.join(learners, list(_ACTIVITY_OF_USER), how="inner")
    return joined.groupBy(*MEMBER_KEY).agg(best).select(*MEMBER_KEY, "best.*")


def group_rows(
    activities: DataFrame, members: DataFrame, enrolled: DataFrame, rows: DataFrame, metrics: Sequence[Metric]
) -> DataFrame:
    """(`GROUP_ACTIVITY_KEY`, a double for each metric) for each activity of each active group, also with nobody in it.

    `enrolled` is `enrolled_members` of these `members`, `rows` are their `member_rows`.
    """
    key = list(GROUP_ACTIVITY_KEY)
    counted = (
        members.join(enrolled.withColumn("is_enrolled", F.lit(True)), list(MEMBER_KEY), how="left")
        .groupBy(*key)
        .agg(F.count(F.lit(1)).alias("memberCount"), F.count_if("is_enrolled").alias("enrolledCount"))
    )
    added = sums(rows.withColumn(SIGN, F.lit(1)), metrics, key)
    counts = [name for frame in (counted, added) for name in frame.columns if name not in key]
    joined = activities.join(counted, key, how="left").join(added, key, how="left")
    return with_values(joined.withColumns({name: F.coalesce(name, F.lit(0)) for name in counts}), metrics, *key)
