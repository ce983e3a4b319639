"""The days of batches from points in time and from texts."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from activity_aggregates.sources.declarations import BATCHES
from activity_aggregates.sources.typed import typed
from metrics.trees.batches import batch_days
from metrics.trees.metadata import course_dates

TIMES = "course_id string, starts_at string, ends_at string, start_date string, end_date string"


def days(spark: SparkSession, *rows: tuple[Any, ...], time_zone: str = "UTC") -> list[tuple[Any, ...]]:
    frame = typed(spark.createDataFrame([(f"c{at}", *row) for at, row in enumerate(rows)], TIMES), BATCHES)
    found = batch_days(frame, time_zone).orderBy("course_id").collect()
    return [(row.start_date, row.end_date) for row in found]


def test_a_point_in_time_comes_before_a_text_and_a_text_before_nothing(spark: SparkSession) -> None:
    assert days(
        spark,
        ("2026-01-05", "2026-06-30", "2020-01-01", "2020-12-31"),
        (None, None, "2020-01-01", "2020-12-31"),
        ("2026-01-05", None, None, "2020-12-31"),
        (None, None, None, None),
        ("never", None, "2020-01-01", None),
    ) == [
        ("2026-01-05", "2026-06-30"),
        ("2020-01-01", "2020-12-31"),
        ("2026-01-05", "2020-12-31"),
        (None, None),
        ("2020-01-01", None),
    ]  # fmt: skip


def test_the_day_is_that_of_the_time_zone(spark: SparkSession) -> None:
    midnight = ("2026-01-04T18:30:00Z", "2026-06-29T18:30:00Z", None, None)
    assert days(spark, midnight, time_zone="Asia/Kolkata") == [("2026-01-05", "2026-06-30")]
    assert days(spark, midnight) == [("2026-01-04", "2026-06-29")]


def test_an_evening_in_utc_is_the_next_day_further_east(spark: SparkSession) -> None:
    evening = ("2026-01-31T20:00:00Z", "2026-12-31T20:00:00Z", "2020-01-01", "2020-12-31")
    assert days(spark, evening, time_zone="Asia/Kolkata") == [("2026-02-01", "2027-01-01")]
    assert days(spark, evening, time_zone="America/New_York") == [("2026-01-31", "2026-12-31")]


def test_a_text_is_a_day_of_no_time_zone(spark: SparkSession) -> None:
    text = (None, None, "2026-01-31", "2026-12-31T20:00:00Z")
    assert days(spark, text, time_zone="Asia/Kolkata") == [("2026-01-31", "2026-12-31T20:00:00Z")]


def test_a_batch_that_has_only_points_in_time_gives_its_course_an_end(spark: SparkSession) -> None:
    rows = [("c1", "2026-01-05", "2026-06-30", None, None), ("c1", None, None, "2025-09-01", "2026-12-31")]
    frame = typed(spark.createDataFrame(rows, TIMES), BATCHES)
    dates = course_dates(batch_days(frame, "UTC"))
    assert [tuple(row) for row in dates.collect()] == [("c1", "2025-09-01", "2026-12-31")]


def test_years_of_more_than_four_digits_are_no_day(spark: SparkSession) -> None:
    frame = typed(spark.createDataFrame([("c1", "9000000000000000", "9000000000000000", None, None)], TIMES), BATCHES)
    assert [tuple(row) for row in course_dates(batch_days(frame, "UTC")).collect()] == [("c1", None, None)]
