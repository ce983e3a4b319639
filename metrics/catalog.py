"""Which activities each context has, and to which course a shared one belongs."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

ACTIVITY_IN_CONTEXT = ("context_id", "activity_type", "activity_id")


def placements(contexts: DataFrame, activities: DataFrame, scores: DataFrame) -> DataFrame:
    """(context_id, activity_type, activity_id, course_id, leaf_nodes_count, enrolled_count), once per course.

    A course and its units are in each of its contexts; a quiz is where anyone with an enrolment row attempted it.
    """
    attempted = (
        scores.filter(~F.col("is_retired"))
        .groupBy("course_id", *ACTIVITY_IN_CONTEXT)
        .agg(F.lit(None).cast("long").alias("leaf_nodes_count"))
    )
    columns = [*ACTIVITY_IN_CONTEXT, "course_id", "leaf_nodes_count", "enrolled_count"]
    of_courses = contexts.join(activities, "course_id", how="inner").select(columns)
    of_attempts = attempted.join(contexts, ["course_id", "context_id"], how="inner").select(columns)
    return of_courses.unionByName(of_attempts)


def catalog(placements: DataFrame) -> DataFrame:
    """`placements` with one row per activity and context, that of the smallest course_id, and `courses` sharing it."""
    owner = F.struct("course_id", "leaf_nodes_count", "enrolled_count")
    return (
        placements.groupBy(*ACTIVITY_IN_CONTEXT)
        .agg(F.min(owner).alias("owner"), F.count(F.lit(1)).alias("courses"))
        .select(*ACTIVITY_IN_CONTEXT, "owner.*", "courses")
    )


def is_shared() -> Column:
    """Whether several courses of one context contain the activity."""
    return F.col("courses") > 1


def owned(rows: DataFrame, catalog: DataFrame) -> DataFrame:
    """`rows` (with activity, context and course_id) without those of courses that do not own the shared activity."""
    shared = catalog.filter(is_shared()).select(*ACTIVITY_IN_CONTEXT, F.col("course_id").alias("owner_id"))
    return (
        rows.join(shared, list(ACTIVITY_IN_CONTEXT), how="left")
        .filter(F.col("owner_id").isNull() | (F.col("owner_id") == F.col("course_id")))
        .drop("owner_id")
    )
