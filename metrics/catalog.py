"""Which activities each context has, and to which course each of them belongs there."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.predicates import is_quiz

IS_WHOLE = "is_whole"  # a column: whether all learners of the row's context are at hand
ACTIVITY_IN_CONTEXT = ("context_id", "activity_type", "activity_id")


def placements(contexts: DataFrame, activities: DataFrame, scores: DataFrame | None) -> DataFrame:
    """(context_id, activity_type, activity_id, course_id, leafNodesCount), once for each course that has the activity.

    A course and its units are in each of its contexts; a quiz is where anyone with an enrolment row attempted it.
    `contexts` is `enrolments.contexts`, `activities` is `courses.course_activities`, `scores` is `quizzes.quiz_scores`.
    """
    columns = [*ACTIVITY_IN_CONTEXT, "course_id", "leafNodesCount"]
    of_courses = contexts.join(activities, "course_id", how="inner").select(columns)
    if scores is None:
        return of_courses
    attempted = scores.filter(~F.col("is_retired")).select(*ACTIVITY_IN_CONTEXT, "course_id").distinct()
    return of_courses.unionByName(attempted.withColumn("leafNodesCount", F.lit(None).cast("bigint")))


def owners(
    placements: DataFrame,
    recorded: DataFrame | None,
    unsettled: DataFrame | None,
    with_whole: Callable[[DataFrame], DataFrame],
) -> DataFrame:
    """Who owns each activity of each context.

    (context_id, activity_type, activity_id, course_id, recorded_course_id, leafNodesCount, courses, is_blocked,
    is_moved, is_foreign). The smallest course_id among `placements` owns; `courses` is how many share. `recorded` is
    what the catalog says (context_id, activity_type, activity_id, course_id): in contexts that are not read whole it
    goes on to say so, and an unsettled course (course_id) stays owner everywhere: what it owns is blocked, no row of it
    is written. A null course_id is of an activity that no course has any more. `is_moved` are those of contexts not
    read whole in which a smaller course than the catalog's has turned up, `is_foreign` those that courses have which do
    not own them. `with_whole` adds `IS_WHOLE` to rows with a context_id.
    """
    nothing, no = F.lit(None).cast("string"), F.lit(False)
    smallest = F.min(F.struct("course_id", "leafNodesCount"))
    found = (
        placements.groupBy(*ACTIVITY_IN_CONTEXT)
        .agg(smallest.alias("smallest"), F.count(F.lit(1)).alias("courses"))
        .select(*ACTIVITY_IN_CONTEXT, F.col("smallest.course_id").alias("found"), "smallest.leafNodesCount", "courses")
    )
    if recorded is None:
        return found.select(
            *ACTIVITY_IN_CONTEXT, F.col("found").alias("course_id"), nothing.alias("recorded_course_id"),
            "leafNodesCount", "courses", no.alias("is_blocked"), no.alias("is_moved"), no.alias("is_foreign"),
        )  # fmt: skip
    joined = found.join(recorded.withColumnRenamed("course_id", "recorded"), list(ACTIVITY_IN_CONTEXT), how="full")
    if unsettled is None:
        joined = joined.withColumn("is_unsettled", no)
    else:
        flags = F.broadcast(unsettled.select(F.col("course_id").alias("recorded"), F.lit(True).alias("is_unsettled")))
        joined = joined.join(flags, "recorded", how="left").withColumn("is_unsettled", F.coalesce("is_unsettled", no))
    joined = with_whole(joined)
    stays = F.col("recorded").isNotNull() & (F.col("is_unsettled") | ~F.col(IS_WHOLE))
    owner = F.when(stays, F.col("recorded")).otherwise(F.col("found"))
    is_moved = stays & ~F.col("is_unsettled") & F.coalesce(F.col("found") < F.col("recorded"), no)
    return joined.select(
        *ACTIVITY_IN_CONTEXT, owner.alias("course_id"), F.col("recorded").alias("recorded_course_id"),
        F.when(owner == F.col("found"), F.col("leafNodesCount")).alias("leafNodesCount"),
        F.coalesce("courses", F.lit(0)).alias("courses"), F.col("is_unsettled").alias("is_blocked"),
        is_moved.alias("is_moved"), F.coalesce(owner != F.col("found"), no).alias("is_foreign"),
    )  # fmt: skip


def owner_counts() -> list[Column]:
    """Aggregates over `owners`, to be observed: activities that are shared, moved, not of all who have them, or new.

    And how many of the new ones are quizzes.
    """
    is_new = F.col("recorded_course_id").isNull()
    return [
        F.count_if(F.col("courses") > 1).alias("shared"),
        F.count_if("is_moved").alias("moved"),
        F.count_if(is_new).alias("new"),
        F.count_if(is_new & is_quiz()).alias("new_quizzes"),
        F.count_if((F.col("courses") > 1) | F.col("is_foreign")).alias("foreign"),
    ]


def strangers(placements: DataFrame, owners: DataFrame) -> DataFrame:
    """(context_id, activity_type, activity_id, course_id) of the courses that have an activity and do not own it."""
    owner = owners.select(*ACTIVITY_IN_CONTEXT, F.col("course_id").alias("owner"))
    placed = placements.select(*ACTIVITY_IN_CONTEXT, "course_id")
    return placed.join(owner, list(ACTIVITY_IN_CONTEXT), how="inner").filter("owner != course_id").drop("owner")


def owned(rows: DataFrame, strangers: DataFrame | None) -> DataFrame:
    """`rows` (with activity, context and course_id) without those of courses that do not own the activity there."""
    if strangers is None:
        return rows
    return rows.join(strangers, [*ACTIVITY_IN_CONTEXT, "course_id"], how="left_anti")
