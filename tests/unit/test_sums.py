"""Every declared sum comes out the same by differences and as a plain sum, whatever learners come, go and change."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from metrics.activities import ACTIVITY_KEY, activity_rows, signed
from metrics.catalog import IS_WHOLE
from metrics.declarations import COURSE_ROWS, OWN_ROWS, Metric, declared, names
from metrics.names import WAS
from metrics.values import SIGN, sums
from tests.harness.frames import assert_rows, frame

# A metric of fractions, as none is declared yet for all types: hundredths of every learner's points.
POINTS = Metric(
    "pointsSum", "completion", "points", "made up here", ("activity_agg",), adds="coalesce(points, 0D)", scale=100
)
METRICS = (*declared("activity_agg"), POINTS)
ALL_NAMES = tuple(dict.fromkeys(metric.name for metric in METRICS))
ADDED = tuple(dict.fromkeys(metric.name for metric in METRICS if metric.is_sum))
OF_LEARNERS = (*names("activity_user_agg"), "points")
KEY = ("activity_type", "activity_id", "user_id", "context_id")
ROWS = ", ".join([*(f"{name} string" for name in KEY), *(f"{name} double" for name in OF_LEARNERS)])
BOTH = ROWS + "".join(f", {WAS}{name} double" for name in OF_LEARNERS)
COMPUTED = ", ".join([*(f"{name} string" for name in ACTIVITY_KEY), *(f"{name} double" for name in ALL_NAMES)])
PUBLISHED = ", ".join([*(f"{name} string" for name in ACTIVITY_KEY), *(f"{WAS}{name} double" for name in ALL_NAMES)])
OWNERS = (
    "context_id string, activity_type string, activity_id string, course_id string, recorded_course_id string, "
    "leafNodesCount bigint"
)
CONTEXTS, LEARNERS, LEAVES = 40, 12, 7

Key = tuple[str, str, str, str]
State = dict[Key, tuple[float | None, ...]]


def activities(context: str) -> list[tuple[str, str, str]]:
    """(type, id, course): two courses share a context, and a unit of one of them."""
    number = context.removeprefix("cb:b")
    return [
        ("Course", f"c{number}", f"c{number}"), ("Course", f"d{number}", f"d{number}"),
        ("CourseUnit", "n", f"c{number}"), ("Quiz", "Q", f"d{number}"),
    ]  # fmt: skip


def owner_rows() -> list[tuple[Any, ...]]:
    return [
        (context, kind, name, course, course, None if kind == "Quiz" else LEAVES)
        for context in contexts() for kind, name, course in activities(context)
    ]  # fmt: skip


def contexts() -> list[str]:
    return [f"cb:b{number}" for number in range(CONTEXTS)]


def row(chance: random.Random, kind: str) -> tuple[float | None, ...]:
    points = chance.choice([None, 0.0, 0.1, 0.29, 33.33, 66.67, 1e9 + 0.07, round(chance.uniform(0, 100), 2)])
    if kind == "Quiz":
        values = {"attemptsCount": chance.randint(1, 4), "scorePercentage": chance.randint(0, 10_000) / 100}
    else:
        done = chance.randint(0, LEAVES)
        values = {
            "startedCount": chance.randint(done, LEAVES), "completedCount": done,
            "completionPercentage": 10_000 * done // LEAVES / 100, "completed": done == LEAVES,
        }  # fmt: skip
    if kind == "Course":
        values |= {"certified": chance.randint(0, 1)} | chance.choice([{}, {"timespent": chance.randint(0, 10**9)}])
    return *(None if name not in values else float(values[name]) for name in OF_LEARNERS[:-1]), points


def drawn(chance: random.Random, stood: State) -> State:
    """The rows of learners as they become where all of them, many or few change: whoever has a row is enrolled."""
    will = dict(stood)
    for number, context in enumerate(contexts()):
        share = (1.0, 0.5, 0.1)[number % 3] if stood else 1.0
        for user in (f"u{each}" for each in range(LEARNERS)):
            if chance.random() > share:
                continue
            enrolled = set()
            for kind, name, course in activities(context):
                key = (kind, name, user, context)
                will.pop(key, None)
                if chance.random() < 0.7 and (kind == "Course" or course in enrolled):
                    will[key] = row(chance, kind)
                    enrolled.add(name)
    return will


def plain(spark: SparkSession, state: State) -> DataFrame:
    rows = frame(spark, ROWS, *((*key, *values) for key, values in state.items())).withColumn(SIGN, F.lit(1))
    return activity_rows(frame(spark, OWNERS, *owner_rows()), rows, None, METRICS)


def moved(spark: SparkSession, stood: State, will: State, published: list[Row], whole: Iterable[str]) -> DataFrame:
    """The rows that follow from the published ones: of whole contexts by all learners, of others by who changes."""
    nothing = (None,) * len(OF_LEARNERS)
    is_whole = set(whole)
    states = [(key, will.get(key, nothing), stood.get(key, nothing)) for key in sorted({*stood, *will})]
    at_hand = [(*key, *after, *before) for key, after, before in states if key[-1] in is_whole or after != before]
    condition = F.col("context_id").isin(sorted(is_whole))
    owners = frame(spark, OWNERS, *owner_rows()).withColumn(IS_WHOLE, condition)
    rows = signed(frame(spark, BOTH, *at_hand).withColumn(IS_WHOLE, condition), OF_LEARNERS)
    return activity_rows(owners, rows, frame(spark, PUBLISHED, *published), METRICS)


@pytest.mark.usefixtures("ansi")
def test_differences_come_to_the_plain_sums_and_every_sum_has_moved(spark: SparkSession) -> None:
    chance = random.Random("sums")
    stood = drawn(chance, {})
    will = drawn(chance, stood)
    published, wanted = (plain(spark, state).drop("is_impossible").collect() for state in (stood, will))
    found = moved(spark, stood, will, published, chance.sample(contexts(), CONTEXTS // 4))
    assert_rows(found, f"{COMPUTED}, is_impossible boolean", *((*each, False) for each in wanted))
    assert len(wanted) == 4 * CONTEXTS
    totals = [{name: sum(each[name] or 0 for each in rows) for name in ADDED} for rows in (published, wanted)]
    assert all(totals[0][name] != totals[1][name] for name in ADDED), totals


def test_hundredths_add_up_without_the_rounding_of_doubles(spark: SparkSession) -> None:
    rows = frame(spark, "id string, activity_type string, points double, sign int", *([("a", "Quiz", 0.1, 1)] * 10))
    assert 0.1 + 0.1 + 0.1 != 0.3  # what doubles would do
    assert_rows(sums(rows, [POINTS], ["id"]), "id string, pointsSum bigint", ("a", 100))


def test_rows_that_are_taken_away_count_against_those_that_are_added(spark: SparkSession) -> None:
    rows = frame(
        spark, "id string, activity_type string, points double, sign int",
        ("a", "Quiz", 33.33, 1), ("a", "Quiz", 0.29, -1), ("a", "Quiz", None, 1), ("b", "Course", 1.25, -1),
    )  # fmt: skip
    assert_rows(sums(rows, [POINTS], ["id"]), "id string, pointsSum bigint", ("a", 3304), ("b", -125))


def test_a_metric_of_a_name_is_added_in_rows_of_its_types_and_over_whose_rows_it_says(spark: SparkSession) -> None:
    of_courses = Metric("n", "completion", "", "", (), ("Course",), adds="points")
    of_quizzes = Metric("n", "completion", "", "", (), ("Quiz",), adds="2 * points")
    over_courses = Metric("m", "completion", "", "", (), adds="1", over=COURSE_ROWS)
    metrics = [of_courses, of_quizzes, over_courses]
    rows = frame(
        spark, "id string, activity_type string, points double, sign int",
        ("a", "Course", 1.0, 1), ("a", "Quiz", 3.0, 1), ("a", "CourseUnit", 9.0, 1),
    )  # fmt: skip
    assert_rows(sums(rows, metrics, ["id"], OWN_ROWS), "id string, n bigint", ("a", 7))
    assert_rows(sums(rows, metrics, ["id"], COURSE_ROWS), "id string, m bigint", ("a", 3))
