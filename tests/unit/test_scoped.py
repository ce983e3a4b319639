"""What a window and the name of an activity choose."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.compute.scoped import happened, is_activity
from activity_aggregates.sources.tables import ENROLMENT_DATES
from tests.harness.frames import frame

FIRST, SECOND, THIRD = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
ROWS = [
    ("u1", "c1", "enrolled", None, SECOND, None),
    ("u1", "c1", "completed", SECOND, None, None),
    ("u2", "c2", "accessed", None, FIRST, SECOND),
    ("u2", "c2", "before", FIRST, FIRST, FIRST),
    ("u3", "c2", "after", None, None, THIRD),
    ("u3", "c1", "undated", None, None, None),
]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return frame(spark, "user_id string, course_id string, batch_id string, completed_on timestamp, "
                        "enrolled_on timestamp, accessed_on timestamp", *ROWS)  # fmt: skip


def batches(rows: DataFrame, condition: Column) -> set[str]:
    return {row.batch_id for row in rows.filter(condition).collect()}


def test_any_of_the_three_instants_may_lie_in_the_window_which_is_without_its_end(rows: DataFrame) -> None:
    assert batches(rows, happened(SECOND, THIRD)) == {"enrolled", "completed", "accessed"}


def test_a_window_may_be_open_and_who_has_no_date_is_in_none(rows: DataFrame) -> None:
    assert batches(rows, happened(None, SECOND)) == {"accessed", "before"}
    assert batches(rows, happened(THIRD, None)) == {"after"}
    assert batches(rows, happened(None, None)) == {"enrolled", "completed", "accessed", "before", "after"}


def test_the_dates_of_enrolments_are_those_that_a_window_looks_at(rows: DataFrame) -> None:
    assert set(ENROLMENT_DATES.dates) <= set(rows.columns)


def test_an_activity_is_of_its_type_and_name(spark: SparkSession) -> None:
    rows = frame(
        spark, "activity_type string, activity_id string", ("Course", "x"), ("CourseUnit", "x"), ("Course", "y")
    )
    found = rows.select(F.when(is_activity("Course", "x"), 1).otherwise(0)).collect()
    assert [row[0] for row in found] == [1, 0, 0]
