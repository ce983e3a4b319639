"""What a learner's rows say, and which of several contexts is a learner's best."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from metrics.learners import best_context_rank, learner_rows

PROGRESS = (
    "user_id string, activity_type string, is_earned boolean, started_count bigint, completed_count bigint, "
    "leaf_nodes_count bigint, activity_id string, course_id string, context_id string, key_high bigint, key_low bigint"
)
SCORES = (
    "user_id string, score double, max_score double, is_enrolled boolean, is_retired boolean, activity_type string, "
    "activity_id string, course_id string, context_id string, attempts_count bigint"
)
PLACE = ("c1", "c1", "cb:b1")

Rows = dict[str, dict[str, float]]


@pytest.fixture(scope="module", params=["sticky", "current"])
def found(spark: SparkSession, request: pytest.FixtureRequest) -> tuple[str, Rows]:
    """The maps of learners by their names, where an earned completion stays and where it does not."""
    progress = spark.createDataFrame(
        [
            ("some", "Course", False, 3, 2, 3, *PLACE, 1, 1),
            ("all", "Course", False, 4, 3, 3, *PLACE, 2, 1),
            ("earned", "Course", True, 1, 1, 3, *PLACE, 3, 1),
            ("earned-unit", "CourseUnit", True, 1, 1, 3, *PLACE, 4, 1),
            ("nothing-required", "Course", False, 0, 0, 0, *PLACE, 5, 1),
        ],
        PROGRESS,
    )
    scores = spark.createDataFrame(
        [
            ("quiz", 0.29, 1.0, True, False, "Quiz", *PLACE, 2),
            ("left", 1.0, 1.0, False, False, "Quiz", *PLACE, 1),
            ("of-retired", 1.0, 1.0, True, True, "Quiz", *PLACE, 1),
        ],
        SCORES,
    )
    kept = spark.createDataFrame(
        [(1, 1, {"score:Q": 2.0}), (4, 1, {"score:Q": 2.0})],
        "key_high bigint, key_low bigint, scores map<string,double>",
    )
    rows = learner_rows(progress, scores, kept, sticky=request.param == "sticky")
    return request.param, {row.user_id: row.agg for row in rows.collect()}


def test_a_learner_has_counts_and_a_percentage_of_what_is_required(found: tuple[str, Rows]) -> None:
    _, rows = found
    assert rows["some"] == {
        "startedCount": 3.0, "completedCount": 2.0, "leafNodesCount": 3.0, "completionPercentage": 66.66,
        "completed": 0.0, "score:Q": 2.0,
    }  # fmt: skip
    assert (rows["all"]["completed"], rows["all"]["completionPercentage"]) == (1.0, 100.0)


def test_an_earned_completion_stays_where_it_is_sticky_and_never_in_a_unit(found: tuple[str, Rows]) -> None:
    completion, rows = found
    assert rows["earned"]["completed"] == (1.0 if completion == "sticky" else 0.0)
    assert rows["earned"]["completionPercentage"] == 33.33
    assert rows["earned-unit"]["completed"] == 0.0


def test_a_course_that_requires_nothing_is_completed(found: tuple[str, Rows]) -> None:
    _, rows = found
    assert (rows["nothing-required"]["completed"], rows["nothing-required"]["completionPercentage"]) == (1.0, 100.0)


def test_the_scores_of_quizzes_stand_in_rows_of_courses_only(found: tuple[str, Rows]) -> None:
    _, rows = found
    assert {user for user, agg in rows.items() if "score:Q" in agg} == {"some"}


def test_a_quiz_has_a_row_for_each_active_enrolment(found: tuple[str, Rows]) -> None:
    _, rows = found
    assert rows["quiz"] == {"score": 0.29, "maxScore": 1.0, "attemptsCount": 2.0, "scorePercentage": 29.0}
    assert not {"left", "of-retired"} & set(rows)


def test_without_scores_in_course_the_rows_of_courses_have_none(spark: SparkSession) -> None:
    progress = spark.createDataFrame([("u1", "Course", False, 3, 2, 3, *PLACE, 1, 1)], PROGRESS)
    (row,) = learner_rows(progress, spark.createDataFrame([], SCORES), None, sticky=True).collect()
    assert set(row.agg) == {"startedCount", "completedCount", "leafNodesCount", "completionPercentage", "completed"}


def test_the_best_context_is_completed_then_of_the_highest_percentage_then_the_smallest(spark: SparkSession) -> None:
    contexts: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
        "completed": [
            ("Course", "best", {"completed": 1.0, "completionPercentage": 50.0}),
            ("Course", "a", {"completed": 0.0, "completionPercentage": 99.0}),
        ],
        "percentage": [
            ("Course", "best", {"completed": 0.0, "completionPercentage": 60.0}),
            ("Course", "a", {"completed": 0.0, "completionPercentage": 59.99, "score": 9.0}),
        ],
        "smallest": [
            ("CourseUnit", "c", {"completed": 1.0, "completionPercentage": 100.0, "score": 9.0}),
            ("CourseUnit", "best", {"completed": 1.0, "completionPercentage": 100.0}),
        ],
        "absent-is-least": [("Course", "a", {}), ("Course", "best", {"completionPercentage": 0.01})],
        "quiz-percentage": [
            ("Quiz", "best", {"scorePercentage": 50.0, "score": 1.0}),
            ("Quiz", "a", {"scorePercentage": 40.0, "score": 4.0, "completionPercentage": 90.0}),
        ],
        "quiz-score": [
            ("Quiz", "best", {"scorePercentage": 50.0, "score": 2.0}),
            ("Quiz", "a", {"scorePercentage": 50.0, "score": 1.0}),
        ],
        "quiz-smallest": [
            ("Quiz", "c", {"scorePercentage": 50.0, "score": 2.0}),
            ("Quiz", "best", {"scorePercentage": 50.0, "score": 2.0}),
        ],
    }
    rows = [(case, *row) for case, several in contexts.items() for row in several]
    frame = spark.createDataFrame(rows, "case string, activity_type string, context_id string, agg map<string,double>")
    best = frame.groupBy("case").agg(F.min_by("context_id", best_context_rank()).alias("context_id"))
    assert {row.case: row.context_id for row in best.collect()} == dict.fromkeys(contexts, "best")
