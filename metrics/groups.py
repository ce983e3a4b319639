"""Groups: their active members and activities, and the metrics of both from the members' best contexts."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.learners import best_context_rank
from metrics.maps import metric_map
from metrics.names import context_id, is_quiz, is_served_activity
from metrics.percentages import percentage
from metrics.refusals import MISSING_KEY, any_blank, first_problem

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


def enrolled_members(members: DataFrame, enrolments: DataFrame, catalog: DataFrame) -> DataFrame:
    """`MEMBER_KEY` of the members with an active enrolment in a context that has the activity."""
    wanted = members.select("activity_type", "activity_id").distinct()
    places = catalog.join(wanted, ["activity_type", "activity_id"], how="left_semi")
    active = enrolments.filter(F.col("is_enrolled") & ~F.col("is_retired")).select(
        "user_id", "course_id", context_id().alias("context_id")
    )
    learners = (
        active.join(members.select("user_id").distinct(), "user_id", how="left_semi")
        .join(places.select(*ACTIVITY_IN_CONTEXT, "course_id"), ["course_id", "context_id"], how="inner")
        .select(*_ACTIVITY_OF_USER)
        .distinct()
    )
    return members.join(learners, list(_ACTIVITY_OF_USER), how="left_semi")


def member_rows(members: DataFrame, learners: DataFrame) -> DataFrame:
    """(`MEMBER_KEY`, agg): each member's row of the best context, where there is any.

    `learners` has `LEARNER_KEY` and agg, as the learners' rows stand after the run.
    """
    best = F.min_by("agg", best_context_rank()).alias("agg")
    return members.join(learners, list(_ACTIVITY_OF_USER), how="inner").groupBy(*MEMBER_KEY).agg(best)


def group_metrics() -> dict[str, Column]:
    """Each metric of a group and activity, over `group_rows`' columns."""
    enrolled, completed = F.col("enrolled_count"), F.col("completed_count")
    return {
        "memberCount": F.col("member_count"),
        "enrolledCount": enrolled,
        "completedCount": completed,
        "completionPercentage": percentage(completed, enrolled, of_nothing=0.0),
    }


def is_member_completed() -> Column:
    """Whether a row of `member_rows` counts as completed."""
    return is_quiz() | (F.coalesce(F.try_element_at("agg", F.lit("completed")), F.lit(0.0)) == 1)


def member_sums(rows: DataFrame) -> DataFrame:
    """(`GROUP_ACTIVITY_KEY`, completed_count) of `member_rows`."""
    return rows.groupBy(*GROUP_ACTIVITY_KEY).agg(F.count_if(is_member_completed()).alias("completed_count"))


def group_rows(activities: DataFrame, members: DataFrame, enrolled: DataFrame, sums: DataFrame) -> DataFrame:
    """(`GROUP_ACTIVITY_KEY`, agg) for each activity of each active group, also with nobody in it.

    `enrolled` is `enrolled_members` of these `members`, `sums` is `member_sums`.
    """
    key = list(GROUP_ACTIVITY_KEY)
    counts = ("member_count", "enrolled_count", "completed_count")
    counted = (
        members.join(enrolled.withColumn("is_enrolled", F.lit(True)), list(MEMBER_KEY), how="left")
        .groupBy(*key)
        .agg(F.count(F.lit(1)).alias("member_count"), F.count_if("is_enrolled").alias("enrolled_count"))
    )
    return (
        activities.join(counted, key, how="left")
        .join(sums, key, how="left")
        .withColumns({name: F.coalesce(name, F.lit(0)) for name in counts})
        .select(*key, metric_map(group_metrics()).alias("agg"))
    )
