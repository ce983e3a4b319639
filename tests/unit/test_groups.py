"""The members and activities of groups, and what both show of the learners' rows."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.sources.tables import GROUP_MEMBERS, GROUPS
from metrics.groups import (
    assess_group_activities,
    assess_members,
    enrolled_members,
    group_activities,
    group_rows,
    member_rows,
    member_sums,
    members_by_activity,
)
from metrics.refusals import accepted

COURSE, QUIZ = {"id": "c1", "type": "Course"}, {"id": "Q", "type": "Quiz"}
LISTED: list[tuple[Any, ...]] = [
    ("g1", "active", [COURSE, COURSE, QUIZ]),
    ("alone", "active", [COURSE, {"id": "x", "type": "TextBook"}]),
    ("blank", "active", [{"id": " ", "type": "Course"}, {"id": "c1"}, {}]),
    ("inactive", "inactive", [COURSE]),
    ("unknown", None, [COURSE]),
    ("none", "active", None),
]
MEMBERS = [
    *(("g1", user, "active") for user in ("u1", "u2", "u3", "left")),
    ("g1", "u9", "inactive"),
    ("g1", "u8", None),
    ("inactive", "u1", "active"),
]
ENROLMENTS = [
    ("u1", "c1", "b1", True, False),
    ("u1", "c1", "b2", True, False),
    ("u2", "c1", "b1", True, False),
    ("left", "c1", "b1", False, False),
    ("u3", "c1", "b9", True, True),
]
CATALOG = [
    ("cb:b1", "Course", "c1", "c1"),
    ("cb:b2", "Course", "c1", "c1"),
    ("cb:b9", "Course", "c1", "c1"),
    ("cb:b2", "Quiz", "Q", "c1"),
]
ROWS = [
    ("Course", "c1", "u1", "cb:b1", {"completed": 0.0, "completionPercentage": 90.0}),
    ("Course", "c1", "u1", "cb:b2", {"completed": 1.0, "completionPercentage": 50.0}),
    ("Course", "c1", "u2", "cb:b1", {"completed": 0.0, "completionPercentage": 10.0}),
    ("Course", "c1", "u9", "cb:b1", {"completed": 1.0, "completionPercentage": 100.0}),
    ("Quiz", "Q", "u1", "cb:b2", {"scorePercentage": 0.0}),
]


@pytest.fixture(scope="module")
def activities(spark: SparkSession) -> DataFrame:
    return group_activities(accepted(assess_group_activities(spark.createDataFrame(LISTED, GROUPS.schema)))).persist()


@pytest.fixture(scope="module")
def members(spark: SparkSession, activities: DataFrame) -> DataFrame:
    rows = accepted(assess_members(spark.createDataFrame(MEMBERS, GROUP_MEMBERS.schema)))
    return members_by_activity(activities, rows).persist()


@pytest.fixture(scope="module")
def best(spark: SparkSession, members: DataFrame) -> DataFrame:
    kept = "activity_type string, activity_id string, user_id string, context_id string, agg map<string,double>"
    return member_rows(members, spark.createDataFrame(ROWS, kept)).persist()


def test_active_groups_have_their_activities_of_known_types_once_each(activities: DataFrame) -> None:
    assert sorted(tuple(row) for row in activities.collect()) == [
        ("alone", "Course", "c1"),
        ("g1", "Course", "c1"),
        ("g1", "Quiz", "Q"),
    ]


def test_an_activity_without_id_or_type_is_refused(spark: SparkSession) -> None:
    rows = assess_group_activities(spark.createDataFrame(LISTED[:3], GROUPS.schema)).collect()
    assert [(row.group_id, row.problem) for row in rows if row.problem] == [("blank", "missing_key")] * 3


def test_a_member_without_user_is_refused(spark: SparkSession) -> None:
    rows = [("g1", " ", "active"), (None, "u1", "active"), ("g1", "u1", "inactive")]
    found = assess_members(spark.createDataFrame(rows, GROUP_MEMBERS.schema)).collect()
    assert [row.problem for row in found] == ["missing_key", "missing_key", None]


def test_only_active_members_of_active_groups_are_members_of_their_activities(members: DataFrame) -> None:
    found = sorted((row.activity_id, row.user_id) for row in members.collect())
    assert found == [(activity, user) for activity in ("Q", "c1") for user in ("left", "u1", "u2", "u3")]


def test_a_member_has_the_metrics_of_the_best_context_and_without_any_no_row(best: DataFrame) -> None:
    assert {(row.activity_id, row.user_id): row.agg for row in best.collect()} == {
        ("c1", "u1"): {"completed": 1.0, "completionPercentage": 50.0},
        ("c1", "u2"): {"completed": 0.0, "completionPercentage": 10.0},
        ("Q", "u1"): {"scorePercentage": 0.0},
    }


def test_a_group_counts_its_members_also_where_nobody_is_in_it(
    spark: SparkSession, activities: DataFrame, members: DataFrame, best: DataFrame
) -> None:
    enrolments = spark.createDataFrame(
        ENROLMENTS, "user_id string, course_id string, batch_id string, is_enrolled boolean, is_retired boolean"
    )
    catalog = spark.createDataFrame(
        CATALOG, "context_id string, activity_type string, activity_id string, course_id string"
    )
    enrolled = enrolled_members(members, enrolments, catalog)
    found = {
        (row.group_id, row.activity_id): row.agg
        for row in group_rows(activities, members, enrolled, member_sums(best)).collect()
    }
    assert found == {
        ("g1", "c1"): {"memberCount": 4, "enrolledCount": 2, "completedCount": 1, "completionPercentage": 50},
        ("g1", "Q"): {"memberCount": 4, "enrolledCount": 1, "completedCount": 1, "completionPercentage": 100},
        ("alone", "c1"): {"memberCount": 0, "enrolledCount": 0, "completedCount": 0, "completionPercentage": 0},
    }
