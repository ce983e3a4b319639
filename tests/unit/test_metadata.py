"""What activities are described with: whose tree, which dates, and which entries are the job's own."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from metrics.trees.metadata import activity_metadata, course_dates, is_own_entry, with_dates

PLACED = "activity_type string, activity_id string, course_id string"
NODES = "course_id string, activity_id string, metadata map<string,string>"
DESCRIBED = "activity_type string, activity_id string, course_id string, metadata map<string,string>"
ENTRIES = {"startDate": "earliest_start", "endDate": "latest_end"}


def described(spark: SparkSession, placed: list[Any], nodes: list[Any]) -> dict[str, Row]:
    rows = activity_metadata(spark.createDataFrame(placed, PLACED), spark.createDataFrame(nodes, NODES))
    return {row.activity_id: row for row in rows.collect()}


def dates(spark: SparkSession, *batches: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    rows = [("c1", start, end) for start, end in batches]
    (found,) = course_dates(
        spark.createDataFrame(rows, "course_id string, start_date string, end_date string")
    ).collect()
    return found.earliest_start, found.latest_end


def test_an_activity_of_several_courses_is_described_by_the_smallest_whose_tree_has_it(spark: SparkSession) -> None:
    placed = [("Quiz", "Q", course) for course in ("c1", "c2", "c3")]
    found = described(spark, placed, [("c3", "Q", {"name": "three"}), ("c2", "Q", {"name": "two"})])
    assert (found["Q"].course_id, found["Q"].metadata) == ("c2", {"name": "two"})


def test_what_no_tree_has_is_not_described(spark: SparkSession) -> None:
    assert described(spark, [("Quiz", "Q", "c1")], [("c1", "A", {"name": "Aims"})]) == {}


def test_batches_together_last_from_the_earliest_start_to_the_latest_end(spark: SparkSession) -> None:
    assert dates(spark, ("2026-02-01", "2026-03-01"), ("2026-01-01", "2026-04-01")) == ("2026-01-01", "2026-04-01")


def test_a_batch_without_an_end_leaves_the_course_without_one(spark: SparkSession) -> None:
    assert dates(spark, ("2026-02-01", "2026-03-01"), ("2026-01-01", None)) == ("2026-01-01", None)


def test_what_does_not_begin_with_a_day_is_no_date(spark: SparkSession) -> None:
    assert dates(spark, ("tomorrow", "31-12-2026"), ("2026-02-01 08:00:00", " ")) == ("2026-02-01 08:00:00", None)


def test_dates_are_of_courses_only_and_hide_attributes_of_their_names(spark: SparkSession) -> None:
    metadata = {"name": "x", "endDate": "as the tree has it"}
    activities = [("Course", "c1", "c1", metadata), ("CourseUnit", "n1", "c1", metadata)]
    known = spark.createDataFrame(
        [("c1", "2026-01-01", None)], "course_id string, earliest_start string, latest_end string"
    )
    rows = with_dates(spark.createDataFrame(activities, DESCRIBED), known, ENTRIES).collect()
    assert {(row.course_id, row.activity_id): row.metadata for row in rows} == {
        ("c1", "c1"): {"name": "x", "startDate": "2026-01-01"},
        ("c1", "n1"): metadata,
    }


def test_a_course_without_batches_has_no_dates(spark: SparkSession) -> None:
    none = spark.createDataFrame([], "course_id string, earliest_start string, latest_end string")
    activities = spark.createDataFrame([("Course", "c1", "c1", {"name": "x"})], DESCRIBED)
    assert [row.metadata for row in with_dates(activities, none, ENTRIES).collect()] == [{"name": "x"}]


@pytest.mark.parametrize("of_nodes", [{"name": "name"}, {}], ids=["with-attributes", "without"])
def test_dates_are_the_jobs_own_in_courses_only(spark: SparkSession, of_nodes: dict[str, str]) -> None:
    names = [(kind, name) for kind in ("Course", "CourseUnit") for name in ("name", "endDate", "other")]
    own = is_own_entry(of_nodes, {"endDate": "latest_end"})
    rows = spark.createDataFrame(names, "activity_type string, name string").filter(own(F.col("name"))).collect()
    attributes = {(kind, name) for kind in ("Course", "CourseUnit") for name in of_nodes}
    assert {tuple(row) for row in rows} == {("Course", "endDate"), *attributes}
