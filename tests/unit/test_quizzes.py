"""The best attempt of a learner at a quiz, how many there were, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from activity_aggregates.sources.declarations import ATTEMPTS, GROUP_ATTEMPTS
from activity_aggregates.sources.typed import typed
from metrics.keys import enrolment_key
from metrics.quizzes import (
    QUIZ_COLUMNS,
    assess_attempts,
    assess_group_attempts,
    best_attempts,
    matched_attempt_counts,
    open_attempts,
    quiz_scores,
    scores_by_enrolment,
)
from metrics.refusals import ATTEMPT_REASONS, accepted, refusal_counts, refused
from tests.harness.frames import assert_rows, frame

ENROLMENT = "user_id string, course_id string, batch_id string"
EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def attempts(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    """Rows of (content_id, attempt_id, total_score, total_max_score, last_attempted_on) of u1 in batch b1 of c1."""
    return assess_attempts(typed(frame(spark, ATTEMPTS.schema, *(("c1", "b1", "u1", *row) for row in rows)), ATTEMPTS))


@pytest.fixture(scope="module")
def best(spark: SparkSession) -> dict[str, Row]:
    """The best attempts by quiz; which attempt it was shows in its maximum."""
    rows = attempts(
        spark,
        ("by-score", "t1", 2.0, 11.0, EARLY),
        ("by-score", "t2", 1.5, 12.0, LATE),
        ("by-time", "t2", 2.0, 11.0, EARLY),
        ("by-time", "t1", 2.0, 12.0, LATE),
        ("without-time", "t2", 2.0, 11.0, None),
        ("without-time", "t1", 2.0, 12.0, EARLY),
        ("by-attempt", "t10", 2.0, 11.0, LATE),
        ("by-attempt", "t2", 2.0, 12.0, LATE),
        ("no-times", "t1", 2.0, 11.0, None),
        ("no-times", "t2", 2.0, 12.0, None),
        ("repeated", "t1", 1.0, 3.0, EARLY),
        ("repeated", "t1", 2.0, 3.0, LATE),
        ("repeated", "t2", 0.0, 3.0, LATE),
        ("minus-zero", "t1", -0.0, 3.0, EARLY),
    )
    return {row.content_id: row for row in best_attempts(accepted(rows)).collect()}


@pytest.mark.parametrize(
    ("quiz", "max_score"),
    [("by-score", 11.0), ("by-time", 12.0), ("without-time", 12.0), ("by-attempt", 12.0), ("no-times", 12.0)],
)
def test_the_best_is_of_the_greatest_score_then_the_latest_then_of_the_greatest_id(
    best: dict[str, Row], quiz: str, max_score: float
) -> None:
    assert best[quiz].maxScore == max_score


def test_rows_of_one_attempt_count_once(best: dict[str, Row]) -> None:
    assert (best["repeated"].score, best["repeated"].attemptsCount, best["repeated"].attempt_rows) == (2.0, 2, 3)


def test_a_score_of_minus_zero_is_zero(best: dict[str, Row]) -> None:
    assert str(best["minus-zero"].score) == "0.0"


def test_an_attempt_without_key_or_with_an_impossible_score_is_refused(spark: SparkSession) -> None:
    impossible = [nan, inf, -inf, -0.5]
    rows: list[tuple[Any, ...]] = [("Q", f"score {score}", score, 3.0, None) for score in impossible]
    rows += [("Q", f"maximum {score}", 1.0, score, None) for score in [None, *impossible]]
    rows += [("Q", f"no score, maximum {score}", None, score, None) for score in impossible]
    rows += [("", "blank quiz", nan, 3.0, None), ("Q", None, nan, 3.0, None), ("Q", " ", 1.0, 3.0, None)]
    found = {(row.content_id, row.attempt_id): row.problem for row in attempts(spark, *rows).collect()}
    without_key = {("", "blank quiz"), ("Q", None), ("Q", " ")}
    assert found == {row[:2]: "missing_key" if row[:2] in without_key else "invalid_score" for row in rows}


def test_an_attempt_that_was_opened_and_not_submitted_is_counted_and_neither_accepted_nor_refused(
    spark: SparkSession,
) -> None:
    opened = [("Q", "t1", None, None, LATE), ("Q", "t2", None, 3.0, None)]
    rows = attempts(spark, *opened, ("Q", "t3", 1.0, 3.0, None), ("", "t4", None, None, None))
    counts = rows.agg(*refusal_counts(*ATTEMPT_REASONS), open_attempts()).first()
    assert counts is not None
    assert counts.asDict() == {"read": 4, "missing_key": 1, "invalid_date": 0, "invalid_score": 0, "open_attempts": 2}
    assert [row.attempt_id for row in accepted(rows).collect()] == ["t3"]
    assert [row.reason for row in refused(rows, "attempt_id").collect()] == ["missing_key"]


def test_an_attempt_of_a_date_that_is_none_is_refused_for_that_whatever_its_score(spark: SparkSession) -> None:
    key = "course_id string, batch_id string, user_id string, content_id string, attempt_id string"
    schema = f"{key}, last_attempted_on string"
    rows = [("c1", "b1", "u1", "Q", "t1", "never"), ("c1", "b1", "u1", "Q", " ", "never")]
    found = assess_attempts(typed(spark.createDataFrame(rows, schema), ATTEMPTS)).collect()
    assert [row.problem for row in found] == ["invalid_date", "missing_key"]


def test_attempts_inside_a_group_are_refused_for_the_same_reasons(spark: SparkSession) -> None:
    rows = [
        ("g1", "Q", "u1", "t1", 1.0, 2.0),
        (" ", "Q", "u1", "t2", 1.0, 2.0),
        ("g1", "Q", "u1", "t3", -1.0, 2.0),
        ("g1", "Q", "u1", "t4", None, 2.0),
    ]
    key = "group_id string, content_id string, user_id string, attempt_id string"
    schema = f"{key}, total_score double, total_max_score double"
    found = assess_group_attempts(typed(spark.createDataFrame(rows, schema), GROUP_ATTEMPTS)).collect()
    assert [row.problem for row in found] == [None, "missing_key", "invalid_score", "open_attempt"]


def test_scores_at_the_edges_are_accepted(spark: SparkSession) -> None:
    rows = attempts(spark, ("Q", "t1", 0.0, 0.0, None), ("Q", "t2", 4.0, 3.0, None), ("Q", "t3", 1e308, 1e308, None))
    assert [row.problem for row in rows.collect()] == [None, None, None]


def test_attempts_belong_to_the_enrolment_of_their_learner_whether_it_is_active_or_not(spark: SparkSession) -> None:
    enrolments = frame(
        spark, f"{ENROLMENT}, is_enrolled boolean, is_retired boolean, lastActiveOn bigint",
        ("u1", "c1", "b1", True, False, 1), ("u2", "c1", "b1", False, False, 1), ("u3", "c1", "b1", True, True, 1),
        ("u4", "c1", "b1", True, False, 1),
    ).select("*", *enrolment_key())  # fmt: skip
    taken = frame(
        spark, ATTEMPTS.schema,
        ("c1", "b1", "u1", "Q", "t1", 1.0, 3.0, LATE), ("c1", "b1", "u1", "Q", "t2", 2.0, 3.0, EARLY),
        ("c1", "b1", "u2", "Q", "t1", 1.0, 3.0, None), ("c1", "b1", "u3", "Q", "t1", 1.0, 3.0, EARLY),
        ("c1", "b2", "u1", "Q", "t1", 3.0, 3.0, EARLY),
    )  # fmt: skip
    best = best_attempts(accepted(assess_attempts(typed(taken, ATTEMPTS))))
    found = quiz_scores(enrolments, best)
    assert best.columns == ["key_high", "key_low", "content_id", *QUIZ_COLUMNS, "attempt_rows"]
    place = ["user_id", "course_id", "context_id", "is_enrolled", "is_retired", "activity_type", "activity_id"]
    assert found.columns == ["key_high", "key_low", *place, *QUIZ_COLUMNS, "attempt_rows"]
    assert_rows(
        found,
        "user_id string, course_id string, context_id string, is_enrolled boolean, is_retired boolean, "
        "activity_type string, activity_id string, score double, maxScore double, attemptsCount bigint, "
        "lastActiveOn bigint, attempt_rows bigint",
        ("u1", "c1", "cb:b1", True, False, "Quiz", "Q", 2.0, 3.0, 2, 1767312000000, 2),
        ("u2", "c1", "cb:b1", False, False, "Quiz", "Q", 1.0, 3.0, 1, None, 1),
        ("u3", "c1", "cb:b1", True, True, "Quiz", "Q", 1.0, 3.0, 1, 1767225600000, 1),
    )  # fmt: skip
    counted = found.agg(*matched_attempt_counts())
    assert_rows(counted, "matched bigint, retired_attempts bigint, inactive_attempts bigint", (4, 1, 1))


def test_the_scores_of_a_learner_are_those_of_every_quiz_taken_while_enrolled(spark: SparkSession) -> None:
    scores = spark.createDataFrame(
        [
            (1, 1, "Q1", 2.0, 3.0, 4, True, False, 7),
            (1, 1, "Q2", 0.0, 5.0, 1, True, False, 9),
            (2, 1, "Q1", 1.0, 3.0, 1, False, False, 7),
            (3, 1, "Q1", 1.0, 3.0, 1, True, True, 7),
        ],
        "key_high bigint, key_low bigint, activity_id string, score double, maxScore double, attemptsCount bigint, "
        "is_enrolled boolean, is_retired boolean, lastActiveOn bigint",
    )
    (found,) = scores_by_enrolment(scores).collect()
    assert (found.key_high, found.attemptedOn) == (1, 9)
    assert found.scores == {
        "score:Q1": 2.0, "max_score:Q1": 3.0, "attempts_count:Q1": 4.0,
        "score:Q2": 0.0, "max_score:Q2": 5.0, "attempts_count:Q2": 1.0,
    }  # fmt: skip
