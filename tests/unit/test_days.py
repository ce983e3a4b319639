"""On which day something fell, and how the counts of days move."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.catalog import IS_WHOLE
from metrics.days import day_of, day_rows
from metrics.declarations import declared
from tests.harness.frames import assert_rows, frame

DAYS = declared("activity_day_agg")
JANUARY_1 = 1767225600000
LEARNERS = (
    "activity_type string, activity_id string, context_id string, enrolledOn double, completedOn double, "
    "lastActiveOn double, sign int"
)
OWNERS = "activity_type string, activity_id string, context_id string, course_id string"
STORED = (
    "activity_type string, activity_id string, context_id string, day date, was_enrolledCount double, "
    "was_completedCount double, was_lastActiveCount double"
)
FOUND = "day date, enrolledCount double, completedCount double, lastActiveCount double"
C1, UNIT = ("Course", "c1", "cb:b1"), ("CourseUnit", "unit1", "cb:b1")
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)
HOUR, DAY = 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "time_zone", "day"),
    [
        (JANUARY_1 - 1, "UTC", date(2025, 12, 31)),
        (JANUARY_1, "UTC", FIRST),
        (JANUARY_1 - HOUR, "Asia/Kolkata", FIRST),
        (JANUARY_1, "America/New_York", date(2025, 12, 31)),
        (-62135596800000, "UTC", date(1, 1, 1)),
        (-62135596800001, "UTC", None),
        (253402300799999, "UTC", date(9999, 12, 31)),
        (253402300800000, "UTC", None),
        (253402300800000, "America/New_York", date(9999, 12, 31)),
        (9_200_000_000_000_000, "Asia/Kolkata", None),
        (-9_200_000_000_000_000, "UTC", None),
        (None, "UTC", None),
    ],
)
def test_a_moment_falls_on_a_day_of_the_time_zone_or_on_none(
    spark: SparkSession, milliseconds: int | None, time_zone: str, day: date | None
) -> None:
    rows = frame(spark, "at double", (None if milliseconds is None else float(milliseconds),))
    assert_rows(rows.select(day_of(F.col("at"), time_zone).alias("day")), "day date", (day,))


@pytest.fixture
def owners(spark: SparkSession) -> DataFrame:
    return frame(spark, OWNERS, (*C1, "c1"), (*UNIT, "c1"), ("Course", "gone", "cb:b1", None))


def test_the_days_of_a_whole_context_are_counted_plainly_and_0_is_absent(
    spark: SparkSession, owners: DataFrame
) -> None:
    learners = frame(
        spark, LEARNERS,
        (*C1, float(JANUARY_1), None, float(JANUARY_1), 1), (*C1, float(JANUARY_1), None, float(JANUARY_1 + DAY), 1),
        ("Course", "gone", "cb:b1", float(JANUARY_1), None, None, 1), (*UNIT, float(JANUARY_1), None, None, 1),
    )  # fmt: skip
    rows = day_rows(owners, learners, None, DAYS, "UTC")
    assert_rows(rows, f"activity_id string, {FOUND}", ("c1", FIRST, 2.0, None, 1.0), ("c1", SECOND, None, None, 1.0))


def moved(spark: SparkSession, owners: DataFrame, stored: tuple[object, ...], enrolled: float) -> DataFrame:
    """u1 was last active on the first day, and is so on the second now."""
    learners = frame(
        spark, LEARNERS, (*C1, None, None, float(JANUARY_1), -1), (*C1, None, None, float(JANUARY_1 + DAY), 1)
    )
    activities = frame(
        spark, "activity_type string, activity_id string, context_id string, was_enrolledCount double", (*C1, enrolled)
    )
    in_parts = owners.withColumn(IS_WHOLE, F.lit(False))
    return day_rows(in_parts, learners, (frame(spark, STORED, stored), activities), DAYS, "UTC")


def test_the_days_of_other_contexts_move_by_what_their_learners_contributed_before_and_contribute_now(
    spark: SparkSession, owners: DataFrame
) -> None:
    rows = moved(spark, owners, (*C1, FIRST, 5.0, None, 2.0), 9.0)
    assert_rows(
        rows, f"{FOUND}, is_impossible boolean",
        (FIRST, 5.0, None, 1.0, False), (SECOND, None, None, 1.0, False),
    )  # fmt: skip


@pytest.mark.parametrize(("stored", "enrolled"), [(0.0, 9.0), (5.0, 3.0)])
def test_a_count_below_0_or_of_more_learners_than_are_enrolled_cannot_be(
    spark: SparkSession, owners: DataFrame, stored: float, enrolled: float
) -> None:
    rows = moved(spark, owners, (*C1, FIRST, None, None, stored), enrolled)
    assert_rows(rows, "day date, is_impossible boolean", (FIRST, True), (SECOND, False))
