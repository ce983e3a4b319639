"""What is kept of the trees of courses, one row for each course, and what is taken out of it again."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.trees.courses import course_activities, described_nodes, known, outlines, settled
from tests.harness.frames import assert_rows, frame
from tests.harness.hierarchy import hierarchy_text

TREE = hierarchy_text({"course": "c1", "name": "Course 1", "children": ["l1", {"unit": "n1", "children": ["l2"]}]})
RETIRED = hierarchy_text({"course": "c2", "status": "Retired", "children": ["l1"]})
EARLIER, LATER = datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-01-02")
DATED = [("c1", TREE, LATER), ("c2", RETIRED, None), ("c3", "{", EARLIER), ("c4", TREE, LATER), ("c4", TREE, EARLIER)]


def dated(spark: SparkSession) -> DataFrame:
    return frame(spark, "course_id string, hierarchy string, changed_at timestamp", *DATED)


def parsed(spark: SparkSession) -> DataFrame:
    """Of the same trees, without dates."""
    return outlines(dated(spark).drop("changed_at"), {"title": "name"})


def test_of_each_course_is_known_why_it_is_refused_and_when_it_has_last_changed(spark: SparkSession) -> None:
    rows = [
        ("c1", None, False, LATER), ("c2", None, True, None), ("c3", "invalid_hierarchy", False, EARLIER),
        ("c4", "invalid_hierarchy", False, LATER),
    ]  # fmt: skip
    columns = "course_id string, problem string, is_retired boolean"
    of_dated = known(outlines(dated(spark)))
    assert_rows(of_dated, f"{columns}, changed_at timestamp", *rows)
    assert of_dated.columns == ["course_id", "problem", "is_retired", "changed_at"]
    without = known(parsed(spark))
    assert_rows(without, columns, *(row[:3] for row in rows))
    assert without.columns == ["course_id", "problem", "is_retired"]


def test_a_course_may_have_changed_later_than_any_date_of_pythons(spark: SparkSession) -> None:
    year_10000 = 253_402_300_800_000_000
    latest = F.timestamp_micros(F.lit(2**63 - 1))
    both = dated(spark).withColumn("changed_at", F.when(F.col("course_id") == "c1", latest).otherwise(
        F.timestamp_micros(F.lit(year_10000))
    ))  # fmt: skip
    found = known(outlines(both)).select("course_id", F.unix_micros("changed_at").alias("changed_at"))
    rows = [("c1", 2**63 - 1), ("c2", year_10000), ("c3", year_10000), ("c4", year_10000)]
    assert_rows(found, "course_id string, changed_at bigint", *rows)


def test_a_course_and_its_units_are_activities_of_the_course(spark: SparkSession) -> None:
    rows = course_activities(settled(parsed(spark)))
    schema = "course_id string, activity_type string, activity_id string, leafNodesCount bigint"
    assert_rows(rows, schema, ("c1", "Course", "c1", 2), ("c1", "CourseUnit", "n1", 1))


def test_a_node_is_described_by_its_course(spark: SparkSession) -> None:
    rows = described_nodes(settled(parsed(spark)))
    schema = "course_id string, activity_id string, metadata map<string,string>"
    assert_rows(rows.filter("size(metadata) > 0"), schema, ("c1", "c1", {"title": "Course 1"}))
