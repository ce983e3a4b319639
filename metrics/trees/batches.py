"""The days on which the batches of a course begin and end: new columns before old ones."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.days import day_of


def batch_days(batches: DataFrame, time_zone: str) -> DataFrame:
    """(course_id, start_date, end_date) of (course_id, two points in time, two texts); a day is a text.

    A point in time falls on a day of `time_zone`: the platform means midnight there. Where a batch has none, or one
    outside of the years 1 to 9999, its text counts as it is.
    """
    return batches.select(
        "course_id",
        F.coalesce(_day("starts_at", time_zone), "start_date").alias("start_date"),
        F.coalesce(_day("ends_at", time_zone), "end_date").alias("end_date"),
    )


def _day(column: str, time_zone: str) -> Column:
    return day_of(F.unix_millis(column), time_zone).cast("string")
