"""What an activity counts of its learners, where all of them are at hand and where counts move by differences."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.activities import ACTIVITY_KEY, activity_rows, signed
from metrics.catalog import IS_WHOLE
from metrics.declarations import declared, names
from metrics.names import WAS
from tests.harness.frames import assert_rows, frame

METRICS, NAMES = declared("activity_agg"), names("activity_agg")
OF_LEARNERS = names("activity_user_agg")
KEY = ("activity_type", "activity_id", "user_id", "context_id")
LEARNERS = ", ".join([*(f"{name} string" for name in KEY), *(f"{name} double" for name in OF_LEARNERS), "sign int"])
OWNERS = (
    "context_id string, activity_type string, activity_id string, course_id string, recorded_course_id string, "
    "leafNodesCount bigint"
)
PUBLISHED = ", ".join([*(f"{name} string" for name in ACTIVITY_KEY), *(f"{WAS}{name} double" for name in NAMES)])
IMPOSSIBLE = "activity_id string, is_impossible boolean"

COUNTS = (
    "enrolledCount double, startedCount double, completedCount double, completionPercentage double, "
    "leafNodesCount double, completedLeafNodesCount double, averageProgress double, "
    "reached25Count double, reached50Count double, reached75Count double"
)


def learner(
    kind: str, activity_id: str, user_id: str, sign: int = 1, context_id: str = "cb:b1", **metrics: float
) -> tuple[Any, ...]:
    defaults = {"attemptsCount": 1.0, "scorePercentage": 0.0} if kind == "Quiz" else dict.fromkeys(OF_LEARNERS[:5], 0.0)
    values = defaults | metrics
    return kind, activity_id, user_id, context_id, *(as_double(values.get(name)) for name in OF_LEARNERS), sign


def as_double(value: float | None) -> float | None:
    return None if value is None else float(value)


def stored(kind: str, activity_id: str, context_id: str = "cb:b1", **metrics: float | None) -> tuple[Any, ...]:
    """A published row; what is not given is 0 where the metric stands in rows of this type."""
    defaults = {metric.name: 0.0 for metric in METRICS if kind in metric.types}
    values = defaults | metrics
    return kind, activity_id, context_id, *(as_double(values.get(name)) for name in NAMES)


# Of course c1: its unit n1, a batch b2 of nobody, a quiz Q; c3 requires nothing.
PLACED = [
    ("cb:b1", "Course", "c1", "c1", "c1", 7),
    ("cb:b1", "CourseUnit", "n1", "c1", "c1", 4),
    ("cb:b1", "Quiz", "Q", "c1", "c1", None),
    ("cb:b2", "Course", "c1", "c1", "c1", 7),
    ("cb:b3", "Course", "c3", "c3", "c3", 0),
    ("cb:b3", "CourseUnit", "gone", None, "c3", None),
]


@pytest.fixture(scope="module")
def whole(spark: SparkSession) -> DataFrame:
    rows = frame(
        spark, LEARNERS,
        learner("Course", "c1", "u1", startedCount=7, completedCount=7, completionPercentage=100, completed=1),
        learner("Course", "c1", "u2", startedCount=1, completed=1),
        learner("Course", "c1", "u3"),
        learner("CourseUnit", "n1", "u1", startedCount=2, completedCount=1, completionPercentage=25),
        learner("CourseUnit", "n1", "u2", startedCount=3, completedCount=3, completionPercentage=75),
        learner("Course", "c3", "u1", context_id="cb:b3", completionPercentage=100, completed=1),
        learner("Quiz", "Q", "u1", attemptsCount=2, scorePercentage=33.33),
        learner("Quiz", "Q", "u2", attemptsCount=1, scorePercentage=66.67),
        learner("CourseUnit", "nobody's", "u1", startedCount=1),
    )  # fmt: skip
    return activity_rows(frame(spark, OWNERS, *PLACED), rows, None, METRICS).persist()


def test_an_activity_counts_its_learners_and_what_they_have_done(whole: DataFrame) -> None:
    found = whole.filter("context_id = 'cb:b1' AND activity_id = 'c1'")
    assert_rows(found, COUNTS, (3.0, 2.0, 2.0, 66.66, 7.0, 7.0, 33.33, 1.0, 1.0, 1.0))


def test_a_learner_without_a_row_of_the_unit_is_enrolled_and_not_completed(whole: DataFrame) -> None:
    assert_rows(whole.filter("activity_id = 'n1'"), COUNTS, (3.0, 2.0, 0.0, 0.0, 4.0, 4.0, 33.33, 2.0, 1.0, 1.0))


def test_a_batch_of_nobody_shows_zero_of_its_leaves(whole: DataFrame) -> None:
    assert_rows(whole.filter("context_id = 'cb:b2'"), COUNTS, (0.0, 0.0, 0.0, 0.0, 7.0, *[0.0] * 5))


def test_where_nothing_is_required_the_average_is_100(whole: DataFrame) -> None:
    found = whole.filter("activity_id = 'c3'")
    assert_rows(found, "averageProgress double, completionPercentage double", (100.0, 100.0))


def test_who_attempted_a_quiz_has_started_and_completed_it_and_it_has_no_leaves(whole: DataFrame) -> None:
    found = whole.filter("activity_id = 'Q'")
    assert_rows(found, COUNTS, (3.0, 2.0, 2.0, 66.66, None, None, None, 2.0, 1.0, 0.0))
    of_scores = "attemptsCount double, scorePercentageSum double, averageScorePercentage double"
    assert_rows(found, of_scores, (3.0, 100.0, 50.0))


def test_only_what_a_course_has_gets_a_row(whole: DataFrame) -> None:
    assert whole.filter("activity_id IN ('gone', 'nobody''s')").isEmpty()


def test_counts_move_by_what_the_learners_at_hand_contributed_and_contribute(spark: SparkSession) -> None:
    rows = frame(
        spark, LEARNERS,
        learner("Course", "c1", "u1", -1, startedCount=2, completedCount=2, completionPercentage=28.57),
        learner("Course", "c1", "u1", 1, startedCount=7, completedCount=7, completionPercentage=100, completed=1),
        learner("Course", "c1", "new", 1),
        learner("CourseUnit", "n1", "left", -1, startedCount=1, completedCount=1, completionPercentage=25),
    )  # fmt: skip
    published = frame(
        spark, PUBLISHED,
        stored("Course", "c1", enrolledCount=9, startedCount=5, completedLeafNodesCount=20, reached25Count=3),
        stored("CourseUnit", "n1", enrolledCount=9, startedCount=5, completedLeafNodesCount=9, reached25Count=3),
    )  # fmt: skip
    owners = frame(spark, OWNERS, *PLACED[:2]).withColumn(IS_WHOLE, F.lit(False))
    found = activity_rows(owners, rows, published, METRICS)
    assert_rows(
        found, f"activity_id string, {COUNTS}",
        ("c1", 10.0, 5.0, 1.0, 10.0, 7.0, 25.0, 35.71, 3.0, 1.0, 1.0),
        ("n1", 10.0, 4.0, 0.0, 0.0, 4.0, 8.0, 20.0, 2.0, 0.0, 0.0),
    )  # fmt: skip
    assert_rows(found, IMPOSSIBLE, ("c1", False), ("n1", False))


def test_of_a_course_that_is_not_at_hand_the_leaves_stay_as_published(spark: SparkSession) -> None:
    owners = frame(spark, OWNERS, ("cb:b1", "Course", "c1", "c1", "c1", None)).withColumn(IS_WHOLE, F.lit(False))
    published = frame(spark, PUBLISHED, stored("Course", "c1", leafNodesCount=7))
    found = activity_rows(owners, frame(spark, LEARNERS), published, METRICS)
    assert_rows(found, "leafNodesCount double, is_impossible boolean", (7.0, False))


def test_in_a_context_at_hand_as_a_whole_nothing_rests_on_what_is_published(spark: SparkSession) -> None:
    owners = frame(spark, OWNERS, *PLACED[:2]).withColumn(IS_WHOLE, F.col("context_id") == "cb:b1")
    rows = frame(spark, LEARNERS, learner("Course", "c1", "u1"), learner("CourseUnit", "n1", "u1", startedCount=1))
    wrong = frame(spark, PUBLISHED, stored("Course", "c1", enrolledCount=9, startedCount=None))
    found = activity_rows(owners, rows, wrong, METRICS)
    assert_rows(
        found, "activity_id string, enrolledCount double, startedCount double, is_impossible boolean",
        ("c1", 1.0, 0.0, False), ("n1", 1.0, 1.0, False),
    )  # fmt: skip


def published(context_id: str, *lacking: str, **of_course: float | None) -> list[tuple[Any, ...]]:
    """Rows of two learners in course c1, its unit n1 and, of one, its quiz Q; without those that are `lacking`."""
    rows = [
        stored("Course", "c1", context_id, enrolledCount=2, **of_course),
        stored("CourseUnit", "n1", context_id, enrolledCount=2, startedCount=2),
        stored("Quiz", "Q", context_id, enrolledCount=2, startedCount=1, completedCount=1, attemptsCount=1),
    ]
    return [row for row in rows if row[1] not in lacking]


NOTHING: dict[str, float | None] = dict.fromkeys(NAMES)
# By context: the rows that are published there, and the learners at hand.
GUARDED: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "cb:below": (
        published("cb:below"),
        [
            learner("Course", "c1", "u1", -1, "cb:below", completedCount=1),
            learner("Course", "c1", "u1", 1, "cb:below"),
            learner("Quiz", "Q", "u1", -1, "cb:below", attemptsCount=2),
        ],
    ),
    "cb:above": (published("cb:above"), [learner("CourseUnit", "n1", "u1", 1, "cb:above", startedCount=1)]),
    "cb:many": (
        published("cb:many"),
        [
            learner("Quiz", "Q", "u1", 1, "cb:many", attemptsCount=9),
            learner("CourseUnit", "n1", "u1", 1, "cb:many", completedCount=4),
        ],
    ),
    "cb:entry": (published("cb:entry", reached25Count=None), []),
    "cb:missing": (published("cb:missing", "Q"), []),
    "cb:of others": ([*published("cb:of others", "Q"), stored("Quiz", "Q", "cb:of others", **NOTHING)], []),
    "cb:whole": (published("cb:whole", "Q", reached25Count=None), []),
}


@pytest.fixture(scope="module")
def impossible(spark: SparkSession) -> set[tuple[str, str]]:
    """(context, activity) whose counts cannot be right; in every context there is a unit that the catalog has not."""
    owners = [
        (context, *rest) for context in GUARDED
        for rest in [*(row[1:] for row in PLACED[:3]), ("CourseUnit", "new", "c1", None, 2)]
    ]  # fmt: skip
    rows, learners = ([row for case in GUARDED.values() for row in case[part]] for part in (0, 1))
    found = activity_rows(
        frame(spark, OWNERS, *owners).withColumn(IS_WHOLE, F.col("context_id") == "cb:whole"),
        frame(spark, LEARNERS, *learners), frame(spark, PUBLISHED, *rows), METRICS,
    )  # fmt: skip
    return {(row.context_id, row.activity_id) for row in found.filter("is_impossible").collect()}


def of(impossible: set[tuple[str, str]], context: str) -> set[str]:
    assert context in GUARDED
    return {activity for found, activity in impossible if found == context}


def test_a_count_below_zero_is_impossible(impossible: set[tuple[str, str]]) -> None:
    assert of(impossible, "cb:below") == {"c1", "Q"}


def test_more_learners_than_are_enrolled_are_impossible(impossible: set[tuple[str, str]]) -> None:
    assert of(impossible, "cb:above") == {"n1"}


def test_more_attempts_or_leaves_than_learners_are_possible(impossible: set[tuple[str, str]]) -> None:
    assert of(impossible, "cb:many") == set()


def test_a_row_without_the_entry_of_a_sum_is_impossible(impossible: set[tuple[str, str]]) -> None:
    assert of(impossible, "cb:entry") == {"c1"}


def test_a_row_that_is_missing_is_impossible_where_the_catalog_has_the_activity(
    impossible: set[tuple[str, str]],
) -> None:
    assert of(impossible, "cb:missing") == of(impossible, "cb:of others") == {"Q"}


def test_in_a_whole_context_nothing_is_impossible(impossible: set[tuple[str, str]]) -> None:
    assert of(impossible, "cb:whole") == set()


COMPARED = ", ".join([*(f"{name} string" for name in KEY), *(f"{prefix}completed double" for prefix in ("", WAS))])


def test_learners_stand_as_they_will_and_where_a_context_is_not_whole_also_as_they_stood(spark: SparkSession) -> None:
    rows = frame(
        spark, COMPARED,
        ("Course", "c1", "changed", "cb:part", 1.0, 0.0), ("Course", "c1", "new", "cb:part", 1.0, None),
        ("Course", "c1", "left", "cb:part", None, 1.0), ("Course", "c1", "changed", "cb:whole", 1.0, 0.0),
        ("Course", "c1", "left", "cb:whole", None, 1.0),
    )  # fmt: skip
    schema = "user_id string, context_id string, completed double, sign int"
    after = [("changed", "cb:part", 1.0, 1), ("new", "cb:part", 1.0, 1), ("changed", "cb:whole", 1.0, 1)]
    before = [("changed", "cb:part", 0.0, -1), ("left", "cb:part", 1.0, -1)]
    assert_rows(signed(rows, ["completed"]), schema, *after)
    in_parts = rows.withColumn(IS_WHOLE, F.col("context_id") == "cb:whole")
    assert_rows(signed(in_parts, ["completed"]), schema, *after, *before)
