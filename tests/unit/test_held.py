"""Quizzes that are held inside a group, from the best attempts of whoever has a row in it."""

from __future__ import annotations

from pyspark.sql import SparkSession

from metrics.quizzes import held_activities, held_quizzes
from tests.harness.frames import assert_rows, frame

BEST = (
    "group_id string, content_id string, user_id string, score double, maxScore double, attemptsCount bigint, "
    "lastActiveOn bigint"
)


def test_the_learners_are_those_with_a_row_in_an_active_group_and_the_members_those_who_are_active(
    spark: SparkSession,
) -> None:
    best = frame(
        spark, BEST,
        ("g1", "Q", "active", 1.0, 2.0, 1, 5), ("g1", "Q", "inactive", 2.0, 2.0, 3, None),
        ("g1", "Q", "stranger", 2.0, 2.0, 1, 5), ("gone", "Q", "active", 2.0, 2.0, 1, 5),
    )  # fmt: skip
    members = frame(
        spark, "group_id string, user_id string, is_active boolean",
        ("g1", "active", True), ("g1", "without attempt", True), ("g1", "inactive", False), ("gone", "active", True),
    )  # fmt: skip
    held = held_quizzes(best, frame(spark, "group_id string", ("g1",)), members)
    assert_rows(
        held,
        "context_id string, activity_type string, activity_id string, user_id string, is_active boolean, "
        "members bigint, score double, attemptsCount bigint, lastActiveOn bigint",
        ("g:g1", "Quiz", "Q", "active", True, 2, 1.0, 1, 5), ("g:g1", "Quiz", "Q", "inactive", False, 2, 2.0, 3, None),
    )  # fmt: skip
    schema = "context_id string, activity_type string, activity_id string, members bigint"
    assert_rows(held_activities(held), schema, ("g:g1", "Quiz", "Q", 2))
