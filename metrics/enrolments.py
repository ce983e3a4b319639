"""Enrolments: which are refused, which are retired, and one row per learner, course and batch of the others."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.keys import ENROLMENT_KEY, enrolment_key
from metrics.names import ENROLMENT_IDS
from metrics.predicates import context_id
from metrics.refusals import (
    HIERARCHY_REASONS,
    INVALID_DATE,
    INVALID_STATUS,
    MISSING_HIERARCHY,
    MISSING_KEY,
    any_blank,
    first_problem,
    is_invalid_date,
    is_invalid_status,
)

DETAILS = ("enrolledOn", "completedOn", "lastActiveOn", "certified")  # of an enrolment: epoch milliseconds, 0 or 1


def is_active() -> Column:
    """Whether an enrolment row is active; null means that it is."""
    return F.coalesce(F.col("active"), F.lit(True))


def has_earned_completion() -> Column:
    """Whether the enrolment row itself says that the course was completed once."""
    return (F.coalesce(F.col("status"), F.lit(0)) == 2) | F.col("completed_on").isNotNull()


def assess_enrolments(enrolments: DataFrame, outlines: DataFrame) -> DataFrame:
    """Every row of (user_id, course_id, batch_id, active, status, three dates, certificates) with what is said of it.

    That is `problem`, and `is_retired` of its course.
    """
    courses = outlines.select("course_id", F.col("problem").alias("course_problem"), "is_retired")
    problem = first_problem(
        (MISSING_KEY, any_blank(*ENROLMENT_IDS)),
        (INVALID_STATUS, is_invalid_status()),
        (INVALID_DATE, is_invalid_date()),
        (MISSING_HIERARCHY, F.col("is_retired").isNull()),
        *((reason, F.col("course_problem") == reason) for reason in HIERARCHY_REASONS),
    )
    return enrolments.join(courses, "course_id", how="left").select(
        *ENROLMENT_IDS, "active", "status", "completed_on", "enrolled_on", "accessed_on",
        "certificates",
        problem.alias("problem"),
        F.coalesce("is_retired", F.lit(False)).alias("is_retired"),
    )  # fmt: skip


def enrolments_by_key(accepted: DataFrame) -> DataFrame:
    """(key_high, key_low, user_id, course_id, batch_id, is_retired, is_enrolled, is_earned, `DETAILS`) per enrolment.

    Of several rows for one key any active one enrols, any completed one earns and any certificate certifies; the
    earliest dates count, but the latest access.
    """
    return (
        accepted.select(
            *enrolment_key(), *ENROLMENT_IDS, "is_retired",
            is_active().alias("is_active"), has_earned_completion().alias("has_earned"),
            "enrolled_on", "completed_on", "accessed_on", "certificates",
        )
        .repartition(*ENROLMENT_KEY)  # once, for this aggregation and for every join on the key
        .groupBy(*ENROLMENT_KEY, *ENROLMENT_IDS, "is_retired")
        .agg(
            F.bool_or("is_active").alias("is_enrolled"), F.bool_or("has_earned").alias("is_earned"),
            F.unix_millis(F.min("enrolled_on")).alias("enrolledOn"),
            F.unix_millis(F.min("completed_on")).alias("completedOn"),
            F.unix_millis(F.max("accessed_on")).alias("lastActiveOn"),
            (F.max("certificates") > 0).cast("int").alias("certified"),
        )
    )  # fmt: skip


def matched_counts(rows: Column, source: str) -> list[Column]:
    """Aggregates over what was joined to enrolments: how many `rows` of a source belong to one, and count all the same.

    matched, retired_<source> and inactive_<source>.
    """
    is_retired, is_inactive = F.col("is_retired"), ~F.col("is_retired") & ~F.col("is_enrolled")
    return [
        _sum(rows).alias("matched"),
        _sum(F.when(is_retired, rows)).alias(f"retired_{source}"),
        _sum(F.when(is_inactive, rows)).alias(f"inactive_{source}"),
    ]


def _sum(rows: Column) -> Column:
    return F.coalesce(F.sum(rows), F.lit(0))


def contexts(enrolments: DataFrame) -> DataFrame:
    """(course_id, context_id) of every batch with an enrolment row, active or not, of a course that is not retired."""
    named = enrolments.filter(~F.col("is_retired")).select("course_id", context_id().alias("context_id"))
    return named.distinct()


def retired_rows() -> Column:
    """An aggregate over `assess_enrolments`: rows that would count, were their course not retired."""
    return F.count_if(F.col("problem").isNull() & F.col("is_retired")).alias("retired")


def inactive_rows() -> Column:
    """An aggregate over `assess_enrolments`: rows that are accepted, of who has left."""
    return F.count_if(F.col("problem").isNull() & ~is_active()).alias("inactive")
