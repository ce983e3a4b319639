"""Stored rows that a run must leave as they are, because their course was refused or is retired."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from metrics.names import COURSE, is_course


def with_unsettled(rows: DataFrame, unsettled: DataFrame, catalog: DataFrame) -> DataFrame:
    """`rows` (with activity_type, activity_id, context_id) and `is_unsettled`.

    `unsettled` is `enrolments.unsettled_courses`, `catalog` what was last written. Unsettled are the Course rows of
    such a course, and the CourseUnit and Quiz rows of every context that has or had one.
    """
    course_ids = unsettled.select("course_id").distinct()
    in_contexts = unsettled_contexts(unsettled, catalog).withColumn("in_context", F.lit(True))
    of_courses = course_ids.select(
        F.lit(COURSE).alias("activity_type"), F.col("course_id").alias("activity_id"), F.lit(True).alias("of_course")
    )
    is_unsettled = F.when(is_course(), F.col("of_course")).otherwise(F.col("in_context"))
    return (
        rows.join(of_courses, ["activity_type", "activity_id"], how="left")
        .join(in_contexts, "context_id", how="left")
        .withColumn("is_unsettled", F.coalesce(is_unsettled, F.lit(False)))
        .drop("of_course", "in_context")
    )


def unsettled_contexts(unsettled: DataFrame, catalog: DataFrame) -> DataFrame:
    """(context_id) that has, or by the catalog had, an unsettled course."""
    course_ids = unsettled.select("course_id").distinct()
    had = catalog.join(course_ids, "course_id", how="left_semi").select("context_id")
    return unsettled.select("context_id").union(had).distinct()


def unsettled_activities(unsettled: DataFrame, catalog: DataFrame) -> DataFrame:
    """(activity_type, activity_id) of unsettled courses, and of the units and quizzes last written for them."""
    course_ids = unsettled.select("course_id").distinct()
    courses = course_ids.select(F.lit(COURSE).alias("activity_type"), F.col("course_id").alias("activity_id"))
    below = catalog.join(course_ids, "course_id", how="left_semi").select("activity_type", "activity_id")
    return courses.union(below).distinct()
