"""What a window and the name of an activity choose."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.compute.choice import PAIR, Choice
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.scoped import Scoped, happened, is_activity
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.request.backfills import Window
from activity_aggregates.request.scope import Scope
from activity_aggregates.sources.tables import ENROLMENT_DATES
from tests.harness.frames import frame

FIRST, SECOND, THIRD = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
ROWS = [
    ("u1", "c1", "enrolled", None, SECOND, None),
    ("u1", "c1", "completed", SECOND, None, None),
    ("u2", "c2", "accessed", None, FIRST, SECOND),
    ("u2", "c2", "before", FIRST, FIRST, FIRST),
    ("u3", "c2", "after", None, None, THIRD),
    ("u3", "c1", "undated", None, None, None),
]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return frame(spark, "user_id string, course_id string, batch_id string, completed_on timestamp, "
                        "enrolled_on timestamp, accessed_on timestamp", *ROWS)  # fmt: skip


def batches(rows: DataFrame, condition: Column) -> set[str]:
    return {row.batch_id for row in rows.filter(condition).collect()}


def test_any_of_the_three_instants_may_lie_in_the_window_which_is_without_its_end(rows: DataFrame) -> None:
    assert batches(rows, happened(SECOND, THIRD)) == {"enrolled", "completed", "accessed"}


def test_a_window_may_be_open_and_who_has_no_date_is_in_none(rows: DataFrame) -> None:
    assert batches(rows, happened(None, SECOND)) == {"accessed", "before"}
    assert batches(rows, happened(THIRD, None)) == {"after"}
    assert batches(rows, happened(None, None)) == {"enrolled", "completed", "accessed", "before", "after"}


def test_the_dates_of_enrolments_are_those_that_a_window_looks_at(rows: DataFrame) -> None:
    assert set(ENROLMENT_DATES.dates) <= set(rows.columns)


def test_an_activity_is_of_its_type_and_name(spark: SparkSession) -> None:
    rows = frame(
        spark, "activity_type string, activity_id string", ("Course", "x"), ("CourseUnit", "x"), ("Course", "y")
    )
    found = rows.select(F.when(is_activity("Course", "x"), 1).otherwise(0)).collect()
    assert [row[0] for row in found] == [1, 0, 0]


def chosen(rows: DataFrame, scope: Scope, **asked: Any) -> Choice:
    """What a scope chooses among enrolments, with no group, no attempt and nothing stored."""
    spark = rows.sparkSession
    trees = frame(spark, "course_id string, hierarchy string")
    sources = SimpleNamespace(
        has=lambda _: False, frame=lambda table: rows if table.name == ENROLMENT_DATES.name else trees
    )
    inputs = SimpleNamespace(
        spark=spark, sources=sources, asked=Asked(scope=scope, **asked), counts={},
        catalog=lambda *_: None, stored_rows=lambda _: None, matching=lambda *_: rows,
        results=SimpleNamespace(keep=lambda frame, _: frame),
        among=lambda found, column, ids: found.filter(F.col(column).isin(sorted(ids))),
    )  # fmt: skip
    return Scoped(cast(Inputs, inputs)).choice()


def pairs(choice: Choice) -> set[tuple[str, str]]:
    assert choice.pairs is not None
    return {(row.user_id, row.context_id) for row in choice.pairs.select(*PAIR).collect()}


def test_a_window_narrows_what_is_named_and_adds_nothing_where_that_is_in_no_context(rows: DataFrame) -> None:
    window = Window(FIRST, None)
    of_course = chosen(rows, Scope.parse(["Course:c2"], [], [], []), window=window)
    assert of_course.whole == frozenset({"cb:accessed", "cb:before", "cb:after"})
    assert chosen(rows, Scope.parse(["Course:c2"], ["cb:enrolled"], [], []), window=window).whole == frozenset()


def test_of_learners_a_window_takes_the_pairs_whose_enrolment_it_has(rows: DataFrame) -> None:
    learners = Scope.parse([], [], [], ["u1", "u2", "u3"])
    found = chosen(rows, learners, window=Window(THIRD, None))
    assert pairs(found) == {("u3", "cb:after")}


def test_of_learners_the_contexts_that_are_done_are_left_out(rows: DataFrame) -> None:
    found = chosen(
        rows, Scope.parse([], [], [], ["u1", "u2", "u3"]), done_contexts=frozenset({"cb:before", "cb:after"})
    )
    assert {context for _, context in pairs(found)} == {"cb:enrolled", "cb:completed", "cb:accessed", "cb:undated"}
