"""What a learner's rows say, and which of several contexts is a learner's best."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.declarations import Selection, declared
from metrics.learners import best_context_rank, learner_rows
from tests.harness.frames import assert_rows, frame

PROGRESS = (
    "user_id string, activity_type string, is_earned boolean, startedCount bigint, completedCount bigint, "
    "leafNodesCount bigint, activity_id string, course_id string, context_id string, key_high bigint, key_low bigint, "
    "accessedOn bigint"
)
SCORES = (
    "user_id string, score double, maxScore double, is_enrolled boolean, is_retired boolean, activity_type string, "
    "activity_id string, course_id string, context_id string, attemptsCount bigint, lastActiveOn bigint"
)
COUNTS = (
    "user_id string, startedCount double, completedCount double, leafNodesCount double, completionPercentage double, "
    "completed double"
)
OF_QUIZZES = "user_id string, score double, maxScore double, attemptsCount double, scorePercentage double"
ENTRIES = "user_id string, entries map<string,double>"
PLACE = ("c1", "c1", "cb:b1")
COMPLETION = declared("activity_user_agg", Selection(("completion",)))
DATES = declared("activity_user_agg", Selection(("completion", "dates")))


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> DataFrame:
    progress = frame(
        spark, PROGRESS,
        ("some", "Course", False, 3, 2, 3, *PLACE, 1, 1, None),
        ("all", "Course", False, 4, 3, 3, *PLACE, 2, 1, None),
        ("earned", "Course", True, 1, 1, 3, *PLACE, 3, 1, None),
        ("earned-unit", "CourseUnit", True, 1, 1, 3, *PLACE, 4, 1, None),
        ("nothing-required", "Course", False, 0, 0, 0, *PLACE, 5, 1, None),
    )  # fmt: skip
    scores = frame(
        spark, SCORES,
        ("quiz", 0.29, 1.0, True, False, "Quiz", *PLACE, 2, 7),
        ("left", 1.0, 1.0, False, False, "Quiz", *PLACE, 1, 7),
        ("of-retired", 1.0, 1.0, True, True, "Quiz", *PLACE, 1, 7),
    )  # fmt: skip
    kept = frame(
        spark, "key_high bigint, key_low bigint, scores map<string,double>, attemptedOn bigint",
        (1, 1, {"score:Q": 2.0, "max_score:Q": 3.0}, 7), (4, 1, {"score:Q": 2.0}, 7),
    )  # fmt: skip
    return learner_rows(progress, scores, kept, COMPLETION).persist()


def test_a_learner_has_counts_and_a_percentage_of_what_is_required(found: DataFrame) -> None:
    rows = found.filter("user_id IN ('some', 'all')")
    assert_rows(rows, COUNTS, ("some", 3.0, 2.0, 3.0, 66.66, 0.0), ("all", 4.0, 3.0, 3.0, 100.0, 1.0))


def test_what_the_enrolment_says_was_earned_is_completed_and_in_a_unit_never(found: DataFrame) -> None:
    rows = found.filter("user_id LIKE 'earned%'")
    assert_rows(rows, COUNTS, ("earned", 1.0, 1.0, 3.0, 33.33, 1.0), ("earned-unit", 1.0, 1.0, 3.0, 33.33, 0.0))


def test_a_course_that_requires_nothing_is_completed(found: DataFrame) -> None:
    assert_rows(found.filter("user_id = 'nothing-required'"), COUNTS, ("nothing-required", 0.0, 0.0, 0.0, 100.0, 1.0))


def test_the_scores_of_quizzes_stand_in_rows_of_courses_only(found: DataFrame) -> None:
    assert_rows(found.filter("entries IS NOT NULL"), ENTRIES, ("some", {"max_score:Q": 3.0, "score:Q": 2.0}))


def test_a_quiz_has_a_row_for_each_active_enrolment_in_a_course_that_is_not_retired(found: DataFrame) -> None:
    assert_rows(found.filter("activity_type = 'Quiz'"), OF_QUIZZES, ("quiz", 0.29, 1.0, 2.0, 29.0))


def test_a_metric_of_another_type_of_activity_is_absent(found: DataFrame) -> None:
    assert_rows(found.filter("user_id = 'some'"), OF_QUIZZES, ("some", None, None, None, None))
    assert_rows(found.filter("user_id = 'quiz'"), COUNTS, ("quiz", None, None, None, None, None))


def test_without_attempts_no_row_has_a_score(spark: SparkSession) -> None:
    progress = frame(spark, PROGRESS, ("u1", "Course", False, 3, 2, 3, *PLACE, 1, 1, None))
    rows = learner_rows(progress, None, None, COMPLETION)
    assert_rows(rows, ENTRIES + ", completed double, score double", ("u1", None, 0.0, None))


def test_the_best_context_is_completed_then_of_the_highest_percentage_then_the_smallest(spark: SparkSession) -> None:
    schema = (
        "case string, activity_type string, context_id string, completed double, completionPercentage double, "
        "scorePercentage double, score double"
    )
    rows = frame(
        spark, schema,
        ("completed", "Course", "best", 1.0, 50.0, None, None),
        ("completed", "Course", "a", 0.0, 99.0, None, None),
        ("percentage", "Course", "best", 0.0, 60.0, None, None),
        ("percentage", "Course", "a", 0.0, 59.99, None, 9.0),
        ("smallest", "CourseUnit", "c", 1.0, 100.0, None, 9.0),
        ("smallest", "CourseUnit", "best", 1.0, 100.0, None, None),
        ("absent is least", "Course", "a", None, None, None, None),
        ("absent is least", "Course", "best", None, 0.01, None, None),
        ("quiz: percentage", "Quiz", "best", None, None, 50.0, 1.0),
        ("quiz: percentage", "Quiz", "a", None, 90.0, 40.0, 4.0),
        ("quiz: score", "Quiz", "best", None, None, 50.0, 2.0),
        ("quiz: score", "Quiz", "a", None, None, 50.0, 1.0),
        ("quiz: smallest", "Quiz", "c", None, None, 50.0, 2.0),
        ("quiz: smallest", "Quiz", "best", None, None, 50.0, 2.0),
    )  # fmt: skip
    best = rows.groupBy("case").agg(F.min_by("context_id", best_context_rank()).alias("context_id"))
    cases = ("completed", "percentage", "smallest", "absent is least")
    of_quizzes = ("quiz: percentage", "quiz: score", "quiz: smallest")
    assert_rows(best, "case string, context_id string", *((case, "best") for case in (*cases, *of_quizzes)))


@pytest.mark.parametrize("has_entries", [True, False])
def test_a_learner_was_last_active_at_the_latest_of_all_that_happened(spark: SparkSession, has_entries: bool) -> None:
    details = f"{PROGRESS}, enrolledOn bigint, completedOn bigint, lastActiveOn bigint"
    begun, done = ("Course", False, 1, 1, 3, *PLACE), ("Course", False, 3, 3, 3, *PLACE)
    progress = frame(
        spark, details,
        ("by-access", *begun, 1, 1, 30, 1, 2, 20), ("by-attempt", *begun, 2, 1, 30, 1, None, 20),
        ("by-enrolment", *done, 3, 1, None, 1, 2, 20), ("never", *done, 4, 1, None, None, None, None),
    )  # fmt: skip
    attempted = frame(
        spark, "key_high bigint, key_low bigint, scores map<string,double>, attemptedOn bigint",
        (1, 1, {"score:Q": 2.0}, None), (2, 1, {"score:Q": 2.0}, 40),
    )  # fmt: skip
    rows = learner_rows(progress, None, attempted, DATES, has_entries=has_entries)
    assert_rows(
        rows, "user_id string, enrolledOn double, completedOn double, lastActiveOn double",
        ("by-access", 1.0, None, 30.0), ("by-attempt", 1.0, None, 40.0), ("by-enrolment", 1.0, 2.0, 20.0),
        ("never", None, None, None),
    )  # fmt: skip
    assert (rows.filter("entries IS NOT NULL").count() > 0) == has_entries
