"""The activities of a context, to which course a shared one belongs, and what they count."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from metrics.activities import activity_rows, learner_sums
from metrics.catalog import catalog, is_shared, owned, placements

# Courses c1 and c2 share batch b1 and its unit n1; nobody is in batch b2, and c3 requires nothing.
CONTEXTS = [("c1", "cb:b1", 3), ("c2", "cb:b1", 1), ("c1", "cb:b2", 0), ("c3", "cb:b3", 2)]
ACTIVITIES = [
    ("c1", "Course", "c1", 7),
    ("c1", "CourseUnit", "n1", 4),
    ("c2", "Course", "c2", 5),
    ("c2", "CourseUnit", "n1", 5),
    ("c3", "Course", "c3", 0),
]
ATTEMPTED = [
    ("c2", "cb:b1", "Quiz", "Q", False),
    ("c2", "cb:b1", "Quiz", "Q", False),
    ("c4", "cb:b1", "Quiz", "Q", True),
]
# (activity_type, activity_id, context_id, started, completed leaves, percentage, is_completed) of each learner.
LEARNERS = [
    ("Course", "c1", "cb:b1", 7, 7, 100.0, True),
    ("Course", "c1", "cb:b1", 1, 0, 0.0, True),
    ("Course", "c1", "cb:b1", 0, 0, 0.0, False),
    ("CourseUnit", "n1", "cb:b1", 2, 1, 25.0, False),
    ("CourseUnit", "n1", "cb:b1", 3, 3, 75.0, False),
    ("Course", "c3", "cb:b3", 0, 0, 100.0, True),
    ("Quiz", "Q", "cb:b1", None, None, None, None),
]


Found = dict[tuple[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def owners(spark: SparkSession) -> DataFrame:
    contexts = spark.createDataFrame(CONTEXTS, "course_id string, context_id string, enrolled_count bigint")
    activities = spark.createDataFrame(
        ACTIVITIES, "course_id string, activity_type string, activity_id string, leaf_nodes_count bigint"
    )
    scores = spark.createDataFrame(
        ATTEMPTED,
        "course_id string, context_id string, activity_type string, activity_id string, is_retired boolean",
    )
    return catalog(placements(contexts, activities, scores)).persist()


def test_a_shared_activity_belongs_to_the_smallest_course(owners: DataFrame) -> None:
    found = {(row.context_id, row.activity_id): row.course_id for row in owners.collect()}
    assert found == {
        ("cb:b1", "c1"): "c1", ("cb:b1", "c2"): "c2", ("cb:b1", "n1"): "c1", ("cb:b1", "Q"): "c2",
        ("cb:b2", "c1"): "c1", ("cb:b2", "n1"): "c1", ("cb:b3", "c3"): "c3",
    }  # fmt: skip
    assert [(row.context_id, row.activity_id) for row in owners.filter(is_shared()).collect()] == [("cb:b1", "n1")]


def test_rows_of_courses_that_do_not_own_the_shared_activity_are_left_out(
    spark: SparkSession, owners: DataFrame
) -> None:
    rows = spark.createDataFrame(
        [
            ("c1", "cb:b1", "CourseUnit", "n1"),
            ("c2", "cb:b1", "CourseUnit", "n1"),
            ("c2", "cb:b9", "CourseUnit", "n1"),
            ("c2", "cb:b1", "Course", "c2"),
        ],
        "course_id string, context_id string, activity_type string, activity_id string",
    )
    found = {(row.course_id, row.context_id, row.activity_id) for row in owned(rows, owners).collect()}
    assert found == {("c1", "cb:b1", "n1"), ("c2", "cb:b9", "n1"), ("c2", "cb:b1", "c2")}


@pytest.fixture(scope="module")
def found(spark: SparkSession, owners: DataFrame) -> Found:
    learners = spark.createDataFrame(
        LEARNERS,
        "activity_type string, activity_id string, context_id string, started_count bigint, completed_count bigint, "
        "completion_percentage double, is_completed boolean",
    )
    rows = activity_rows(owners, learner_sums(learners))
    return {(row.context_id, row.activity_id): row.agg for row in rows.collect()}


def test_an_activity_counts_its_learners_and_what_they_have_done(found: Found) -> None:
    assert found["cb:b1", "c1"] == {
        "enrolledCount": 3, "startedCount": 2, "completedCount": 2, "completionPercentage": 66.66,
        "leafNodesCount": 7, "completedLeafNodesCount": 7, "averageProgress": 33.33,
        "reached25Count": 1, "reached50Count": 1, "reached75Count": 1,
    }  # fmt: skip


def test_a_learner_without_a_row_of_the_unit_is_enrolled_and_not_completed(found: Found) -> None:
    assert found["cb:b1", "n1"] == {
        "enrolledCount": 3, "startedCount": 2, "completedCount": 0, "completionPercentage": 0,
        "leafNodesCount": 4, "completedLeafNodesCount": 4, "averageProgress": 33.33,
        "reached25Count": 2, "reached50Count": 1, "reached75Count": 1,
    }  # fmt: skip


def test_a_batch_of_nobody_shows_zero_of_its_leaves(found: Found) -> None:
    assert found["cb:b2", "c1"] == {
        "enrolledCount": 0, "startedCount": 0, "completedCount": 0, "completionPercentage": 0,
        "leafNodesCount": 7, "completedLeafNodesCount": 0, "averageProgress": 0,
        "reached25Count": 0, "reached50Count": 0, "reached75Count": 0,
    }  # fmt: skip


def test_where_nothing_is_required_the_average_is_100(found: Found) -> None:
    assert found["cb:b3", "c3"]["averageProgress"] == 100
    assert found["cb:b3", "c3"]["completionPercentage"] == 50


def test_who_attempted_a_quiz_has_started_and_completed_it(found: Found) -> None:
    assert found["cb:b1", "Q"] == {
        "enrolledCount": 1, "startedCount": 1, "completedCount": 1, "completionPercentage": 100,
    }  # fmt: skip
