"""Published sums held against the published rows, of a store whose tables are literal rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.run.published import differing_sums
from activity_aggregates.store.targets import TARGET_TABLES, TargetTable, key_type
from metrics.declarations import EVERYTHING, SCORES, Selection, declared, names
from tests.harness.frames import assert_rows

Entries = dict[str, float | None]
Rows = dict[str, list[tuple[tuple[str, ...], Entries]]]


class Stored:
    """In the place of `StoredRows`: by table each row's key and metrics; of the catalog the course."""

    def __init__(self, spark: SparkSession, rows: Rows, catalog: Sequence[tuple[str, ...]]) -> None:
        self._spark, self._rows, self._catalog = spark, rows, catalog

    def rows(self, table: TargetTable, metrics: Sequence[str]) -> DataFrame:
        values = [(*key, *(entries.get(name) for name in metrics)) for key, entries in self._rows.get(table.name, [])]
        columns = [*(f"{name} {key_type(name)}" for name in table.key), *(f"was_{name} double" for name in metrics)]
        return self._spark.createDataFrame(values, ", ".join(columns))

    def plain(self, table: TargetTable) -> DataFrame:
        columns = [*table.key, table.column]
        return self._spark.createDataFrame(list(self._catalog), ", ".join(f"{name} string" for name in columns))


CHOICES = load(None, {}, {}).settings.metrics
COMPLETION = Selection(("completion",))
TABLES = {table.name: table for table in TARGET_TABLES}
OF_QUIZ: Entries = {"score": 1.0, "maxScore": 3.0, "attemptsCount": 2.0, "scorePercentage": 33.33}


def zeros(table: str, kind: str) -> Entries:
    return {metric.name: 0.0 for metric in declared(table) if kind in metric.types}


def right() -> Rows:
    """Two learners of c1 in b1, one of whom took quiz Q, and a group of both with c1."""
    done: Entries = {"startedCount": 4.0, "completedCount": 4.0, "leafNodesCount": 4.0, "completionPercentage": 100.0,
                     "completed": 1.0}  # fmt: skip
    begun: Entries = done | {"completedCount": 1.0, "completionPercentage": 25.0, "completed": 0.0}
    course = zeros("activity_agg", "Course") | {
        "enrolledCount": 2.0, "startedCount": 2.0, "completedCount": 1.0, "completedLeafNodesCount": 5.0,
        "reached25Count": 2.0, "reached50Count": 1.0, "reached75Count": 1.0,
    }  # fmt: skip
    quiz = zeros("activity_agg", "Quiz") | {
        "enrolledCount": 2.0, "startedCount": 1.0, "completedCount": 1.0, "attemptsCount": 2.0,
        "scorePercentageSum": 33.33, "reached25Count": 1.0,
    }  # fmt: skip
    group = zeros("group_activity_agg", "Course") | {
        "startedCount": 2.0, "completedCount": 1.0, "reached25Count": 2.0, "reached50Count": 1.0, "reached75Count": 1.0,
    }  # fmt: skip
    return {
        "activity_user_agg": [
            (("Course", "c1", "u1", "cb:b1"), done), (("Course", "c1", "u2", "cb:b1"), begun),
            (("Quiz", "Q", "u1", "cb:b1"), OF_QUIZ), (("Quiz", "Q", "u1", "g:g1"), OF_QUIZ),
            (("Course", "c9", "u9", "cb:b9"), {}),
        ],
        "activity_agg": [
            (("Course", "c1", "cb:b1"), course), (("Quiz", "Q", "cb:b1"), quiz),
            (("Quiz", "Q", "g:g1"), quiz | {"enrolledCount": 7.0}), (("Course", "c9", "cb:b9"), {}),
        ],
        "group_activity_user_agg": [(("g1", "Course", "c1", "u1"), done), (("g1", "Course", "c1", "u2"), begun)],
        "group_activity_agg": [(("g1", "Course", "c1"), group)],
    }  # fmt: skip


CATALOG = [("cb:b1", "Course", "c1", "c1"), ("cb:b1", "Quiz", "Q", "c1")]
FOUND = "table string, key string, metric string, published double, summed double"


def differing(spark: SparkSession, rows: Rows, selection: Selection = EVERYTHING) -> DataFrame:
    stored: Any = Stored(spark, rows, CATALOG)
    return differing_sums(stored, selection, CHOICES)


def test_right_sums_differ_in_nothing_and_what_rests_on_the_sources_alone_is_not_looked_at(spark: SparkSession) -> None:
    assert_rows(differing(spark, right()), FOUND)


def test_every_sum_that_is_wrong_or_absent_is_found_with_what_its_rows_add_up_to(spark: SparkSession) -> None:
    rows = right()
    of_activities, of_groups = rows["activity_agg"], rows["group_activity_agg"]
    of_activities[0][1].update(enrolledCount=3.0, completedLeafNodesCount=None)
    of_activities[1][1].update(scorePercentageSum=33.34, enrolledCount=1.0)
    of_activities[2][1].update(attemptsCount=3.0)
    of_groups[0][1].update(completedCount=2.0)
    assert_rows(
        differing(spark, rows), FOUND,
        ("activity_agg", "Course c1 cb:b1", "enrolledCount", 3.0, 2.0),
        ("activity_agg", "Course c1 cb:b1", "completedLeafNodesCount", None, 5.0),
        ("activity_agg", "Quiz Q cb:b1", "scorePercentageSum", 33.34, 33.33),
        ("activity_agg", "Quiz Q cb:b1", "enrolledCount", 1.0, 2.0),
        ("activity_agg", "Quiz Q g:g1", "attemptsCount", 3.0, 2.0),
        ("group_activity_agg", "g1 Course c1", "completedCount", 2.0, 1.0),
    )  # fmt: skip


def test_of_a_family_without_an_entry_in_a_row_nothing_is_expected_there(spark: SparkSession) -> None:
    """It was switched on when the course was retired already."""
    rows = right()
    of_scores = {
        metric.name for metric in declared("activity_agg") if metric.family == SCORES and "Quiz" in metric.types
    }
    rows["activity_agg"][1][1].update(dict.fromkeys(of_scores))
    assert_rows(differing(spark, rows), FOUND)


def test_a_row_that_is_missing_is_found_by_what_it_would_count(spark: SparkSession) -> None:
    rows = right()
    del rows["activity_agg"][1]
    found = {row.metric for row in differing(spark, rows).filter("key = 'Quiz Q cb:b1'").collect()}
    assert found == {"enrolledCount", "startedCount", "completedCount", "attemptsCount", "scorePercentageSum",
                     "reached25Count"}  # fmt: skip


def test_a_row_that_nothing_adds_up_to_is_found(spark: SparkSession) -> None:
    rows = right()
    rows["activity_user_agg"] = [row for row in rows["activity_user_agg"] if row[0][0] != "Quiz"]
    found = differing(spark, rows).filter("key = 'Quiz Q cb:b1' AND metric = 'attemptsCount'")
    assert_rows(found, FOUND, ("activity_agg", "Quiz Q cb:b1", "attemptsCount", 2.0, 0.0))


@pytest.mark.parametrize("table", ["activity_agg", "group_activity_agg"])
def test_of_families_that_are_off_nothing_is_looked_at(spark: SparkSession, table: str) -> None:
    rows = right()
    for _, entries in rows[table]:
        entries.update(dict.fromkeys(set(names(table)) - set(names(table, COMPLETION)), 99.0))
    assert_rows(differing(spark, rows, COMPLETION), FOUND)
