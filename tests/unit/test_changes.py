"""What a run does to stored rows: both states of every row, and what happens to it."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import COUNTED, change_counts, compare, plain_texts, staged_schema
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_METADATA,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
)
from tests.harness.frames import assert_rows, frame

NAMES = ("score", "maxScore")
KEY = "activity_type string, activity_id string, user_id string, context_id string"
COMPUTED = f"{KEY}, score double, maxScore double, entries map<string,double>"
STORED = (
    f"{KEY}, was_score double, was_maxScore double, was_entries map<string,double>, newer array<string>, "
    "undated array<string>"
)
SCORE_OF_Q = {"score:Q": 5.0}

# By user_id: what is computed, and what is stored; the rows of "unsettled …" stay where nothing is computed.
WILL: dict[str, tuple[Any, ...]] = {
    "new": (1.0, None, SCORE_OF_Q),
    "equal": (1.0, 2.0, SCORE_OF_Q),
    "different": (2.0, 2.0, None),
    "narrower": (1.0, None, None),
    "of others": (1.0, None, None),
    "newer": (2.0, 4.0, None),
    "newer, narrower": (1.0, None, None),
    "newer, equal": (3.0, 2.0, None),
    "undated": (2.0, None, None),
    "undated, equal": (1.0, None, None),
    "unsettled, computed": (2.0, None, None),
}
STOOD: dict[str, tuple[Any, ...]] = {
    "equal": (1.0, 2.0, SCORE_OF_Q, None, None),
    "different": (1.0, 2.0, None, None, None),
    "narrower": (1.0, 2.0, SCORE_OF_Q, None, None),
    "gone": (1.0, 2.0, SCORE_OF_Q, None, None),
    "of others": (None, None, None, None, None),
    "of others, not computed": (None, None, None, None, None),
    "newer": (1.0, 3.0, None, ["score"], None),
    "newer, gone": (1.0, 3.0, None, ["score"], None),
    "newer, narrower": (1.0, 2.0, None, ["maxScore"], None),
    "newer, equal": (1.0, 2.0, None, ["score"], None),
    "undated": (1.0, None, None, None, ["score"]),
    "undated, equal": (1.0, None, None, None, ["score"]),
    "unsettled, gone": (1.0, 2.0, SCORE_OF_Q, None, None),
    "unsettled, computed": (1.0, 2.0, None, None, None),
}
STATES = "user_id string, score double, maxScore double, was_score double, was_maxScore double, is_changed boolean"


def keyed(rows: dict[str, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [("Course", "c1", user, "cb:b1", *values) for user, values in rows.items()]


@pytest.fixture(scope="module")
def compared(spark: SparkSession) -> DataFrame:
    computed, stored = frame(spark, COMPUTED, *keyed(WILL)), frame(spark, STORED, *keyed(STOOD))
    stays = F.col("user_id").startswith("unsettled")
    return compare(ACTIVITY_USER_AGG, NAMES, computed, stored, stays).persist()


def rows_of(compared: DataFrame, *users: str) -> DataFrame:
    return compared.filter(F.col("user_id").isin(*users))


def kinds(rows: DataFrame) -> dict[str, str]:
    return {row.user_id: row.kind for row in rows.filter("is_changed").collect()}


def test_a_staged_row_has_every_key_both_states_of_metrics_and_maps_and_what_is_said_of_it() -> None:
    assert staged_schema(["completed"]).split(", ") == [
        "table string", "activity_type string", "activity_id string", "user_id string", "context_id string",
        "day date", "group_id string", "completed double", "was_completed double", "entries map<string,double>",
        "was_entries map<string,double>", "texts map<string,string>", "was_texts map<string,string>",
        "is_changed boolean", "kind string", "newer int", "is_undated boolean",
    ]  # fmt: skip


def test_what_is_compared_has_the_columns_of_a_staged_row_and_those_that_are_taken_along(spark: SparkSession) -> None:
    computed = frame(spark, f"{COMPUTED}, course_id string", ("Course", "c1", "u1", "cb:b1", 1.0, None, None, "c1"))
    stored = frame(spark, STORED, *keyed({"gone": (1.0, None, None, None, None)}))
    further = {"course_id": "string", "shown": "int"}
    found = compare(ACTIVITY_USER_AGG, NAMES, computed, stored, F.lit(False), further)
    flags = ["is_changed", "kind", "newer", "is_undated"]
    values = ["score", "maxScore", "was_score", "was_maxScore", "entries", "was_entries"]
    key = ["activity_type", "activity_id", "user_id", "context_id"]
    assert found.columns == ["table", *key, *values, *flags, "course_id", "shown"]
    staged = dict(column.split(" ") for column in staged_schema(NAMES).split(", "))
    assert {name: kind for name, kind in found.dtypes if name in staged} == {
        name: kind for name, kind in staged.items() if name in found.columns
    }
    assert_rows(
        found, "user_id string, newer int, is_undated boolean, course_id string, shown int",
        ("u1", 0, False, "c1", None), ("gone", 0, False, None, None),
    )  # fmt: skip


def test_a_row_has_both_states_and_is_changed_where_they_differ(compared: DataFrame) -> None:
    assert_rows(
        rows_of(compared, "new", "equal", "different", "narrower"), STATES,
        ("new", 1.0, None, None, None, True), ("equal", 1.0, 2.0, 1.0, 2.0, False),
        ("different", 2.0, 2.0, 1.0, 2.0, True), ("narrower", 1.0, None, 1.0, 2.0, True),
    )  # fmt: skip


def test_every_row_that_is_computed_or_stored_is_there_once(compared: DataFrame) -> None:
    users = [row.user_id for row in compared.select("user_id").collect()]
    assert sorted(users) == sorted({*WILL, *STOOD})
    assert {row.table for row in compared.select("table").collect()} == {"activity_user_agg"}


def test_what_is_not_computed_is_retracted(compared: DataFrame) -> None:
    assert_rows(rows_of(compared, "gone"), STATES, ("gone", None, None, 1.0, 2.0, True))


def test_entries_of_others_make_no_row_of_ours(compared: DataFrame) -> None:
    assert_rows(
        rows_of(compared, "of others", "of others, not computed"), f"{STATES}, kind string",
        ("of others", 1.0, None, None, None, True, "missing"),
        ("of others, not computed", None, None, None, None, False, "extra"),
    )  # fmt: skip


def test_a_changed_row_is_missing_extra_or_different(compared: DataFrame) -> None:
    assert kinds(rows_of(compared, "new", "gone", "different", "narrower")) == {
        "new": "missing", "gone": "extra", "different": "different", "narrower": "different",
    }  # fmt: skip


def test_entries_of_a_newer_run_are_left_alone_and_counted(compared: DataFrame) -> None:
    assert_rows(
        compared.filter("user_id LIKE 'newer%'"), f"{STATES}, newer int",
        ("newer", 1.0, 4.0, 1.0, 3.0, True, 1), ("newer, gone", 1.0, None, 1.0, 3.0, True, 1),
        ("newer, narrower", 1.0, 2.0, 1.0, 2.0, False, 1), ("newer, equal", 1.0, 2.0, 1.0, 2.0, False, 1),
    )  # fmt: skip
    assert compared.filter("user_id NOT LIKE 'newer%' AND newer != 0").isEmpty()


def test_a_changed_row_with_an_entry_without_a_date_is_flagged(compared: DataFrame) -> None:
    assert_rows(compared.filter("is_undated"), "user_id string", ("undated",))


def test_a_row_stays_while_nothing_is_computed_for_it(compared: DataFrame) -> None:
    assert_rows(
        compared.filter("user_id LIKE 'unsettled%'"), f"{STATES}, entries map<string,double>",
        ("unsettled, gone", 1.0, 2.0, 1.0, 2.0, False, SCORE_OF_Q),
        ("unsettled, computed", 2.0, None, 1.0, 2.0, True, None),
    )  # fmt: skip


def test_rows_are_counted_by_what_happens_to_them(compared: DataFrame) -> None:
    counts = compared.agg(*change_counts(ACTIVITY_USER_AGG, NAMES), *change_counts(ACTIVITY_AGG, NAMES)).first()
    assert counts is not None
    ours = {name.partition(" ")[0]: count for name, count in counts.asDict().items() if "user" in name}
    assert ours == {
        "stored": 12, "compared": 15, "changed": 9, "added": 2, "retracted": 1, "newer": 4, "lowered": 0, "undated": 1,
    }  # fmt: skip
    assert set(ours) == set(COUNTED)
    assert {count for name, count in counts.asDict().items() if "user" not in name} == {0}


def test_rows_whose_completed_count_falls_are_lowered(spark: SparkSession) -> None:
    key = "group_id string, activity_type string, activity_id string"
    computed = frame(
        spark, f"{key}, completedCount double",
        ("g", "Course", "fell", 1.0), ("g", "Course", "rose", 3.0), ("g", "Course", "new", 1.0),
    )  # fmt: skip
    stored = frame(
        spark, f"{key}, was_completedCount double, newer array<string>, undated array<string>",
        ("g", "Course", "fell", 2.0, None, None), ("g", "Course", "rose", 2.0, None, None),
        ("g", "Course", "gone", 2.0, None, None), ("g", "Course", "newer", 2.0, ["completedCount"], None),
    )  # fmt: skip
    names = ("completedCount",)
    rows = compare(GROUP_ACTIVITY_AGG, names, computed, stored, F.lit(False))
    counts = rows.agg(*change_counts(GROUP_ACTIVITY_AGG, names)).first()
    assert counts is not None
    assert counts["lowered group_activity_agg"] == 1


MAPS = "user_id string, entries map<string,double>, was_entries map<string,double>, is_changed boolean"


def test_maps_of_entries_are_compared_whatever_their_order_and_newer_ones_left_alone(spark: SparkSession) -> None:
    both, other = {"score:A": 1.0, "score:B": 2.0}, {"score:B": 2.0, "score:A": 1.0}
    will = {
        "equal": (None, None, both), "different": (None, None, {"score:A": 9.0}), "new": (None, None, both),
        "newer": (None, None, {"score:A": 9.0, "score:B": 9.0}),
    }  # fmt: skip
    stood = {
        "equal": (None, None, other, None, None), "different": (None, None, both, None, None),
        "gone": (None, None, both, None, None), "newer": (None, None, both, ["score:A"], None),
        "newer, gone": (None, None, both, ["score:A"], None),
    }  # fmt: skip
    rows = compare(
        ACTIVITY_USER_AGG, NAMES, frame(spark, COMPUTED, *keyed(will)), frame(spark, STORED, *keyed(stood)),
        F.lit(False),
    )  # fmt: skip
    assert_rows(
        rows, MAPS,
        ("equal", both, both, False), ("different", {"score:A": 9.0}, both, True), ("new", both, None, True),
        ("gone", None, both, True), ("newer", {"score:A": 1.0, "score:B": 9.0}, both, True),
        ("newer, gone", {"score:A": 1.0}, both, True),
    )  # fmt: skip


def test_what_is_compared_with_nothing_stored_is_new(spark: SparkSession) -> None:
    rows = {"u": (1.0, None, None)}
    everything_new = compare(ACTIVITY_USER_AGG, NAMES, frame(spark, COMPUTED, *keyed(rows)), None, F.lit(False))
    assert_rows(everything_new, STATES, ("u", 1.0, None, None, None, True))


def test_a_stored_row_that_is_not_computed_goes_unless_it_stays(spark: SparkSession) -> None:
    computed, stored = frame(spark, COMPUTED), frame(spark, STORED, *keyed({"u": (1.0, None, None, None, None)}))
    gone, left = (compare(ACTIVITY_USER_AGG, NAMES, computed, stored, F.lit(stays)) for stays in (False, True))
    assert_rows(gone, STATES, ("u", None, None, 1.0, None, True))
    assert_rows(left, STATES, ("u", 1.0, None, 1.0, None, False))


def test_texts_are_compared_as_numbers_are(spark: SparkSession) -> None:
    key = "activity_type string, activity_id string"
    computed = frame(
        spark, f"{key}, texts map<string,string>",
        ("Course", "c1", {"name": "new", "status": "Live"}), ("Course", "same", {"name": "a", "status": "b"}),
    )  # fmt: skip
    stored = frame(
        spark, f"{key}, was_texts map<string,string>, newer array<string>, undated array<string>",
        ("Course", "c1", {"name": "old", "endDate": "x"}, None, None),
        ("Course", "same", {"status": "b", "name": "a"}, None, None), ("Course", "gone", {"name": "g"}, None, None),
    )  # fmt: skip
    rows = compare(ACTIVITY_METADATA, (), computed, stored, F.lit(False))
    assert_rows(
        rows, "activity_id string, texts map<string,string>, is_changed boolean, kind string",
        ("c1", {"name": "new", "status": "Live"}, True, "different"),
        ("same", {"name": "a", "status": "b"}, False, "different"), ("gone", None, True, "extra"),
    )  # fmt: skip
    counts = rows.agg(*change_counts(ACTIVITY_METADATA, ())).first()
    assert counts is not None
    found = {name.partition(" ")[0]: count for name, count in counts.asDict().items()}
    assert found == dict.fromkeys(COUNTED, 0) | {"stored": 3, "compared": 3, "changed": 2, "retracted": 1}


def test_a_row_of_the_catalog_comes_goes_or_gets_another_course(spark: SparkSession) -> None:
    owners = frame(
        spark,
        "context_id string, activity_type string, activity_id string, course_id string, recorded_course_id string",
        ("cb:b1", "CourseUnit", "new", "c1", None), ("cb:b1", "CourseUnit", "moved", "c1", "c2"),
        ("cb:b1", "CourseUnit", "gone", None, "c1"), ("cb:b1", "CourseUnit", "same", "c1", "c1"),
    )  # fmt: skip
    rows = plain_texts(ACTIVITY_CATALOG, owners, "course_id", "recorded_course_id")
    c1, c2 = {"course_id": "c1"}, {"course_id": "c2"}
    columns = ["context_id", "activity_type", "activity_id", "texts", "was_texts"]
    assert rows.columns == ["table", *columns, "is_changed", "kind", "newer", "is_undated"]
    assert {(row.table, row.newer, row.is_undated) for row in rows.collect()} == {("activity_catalog", 0, False)}
    assert_rows(
        rows,
        "activity_id string, texts map<string,string>, was_texts map<string,string>, is_changed boolean, kind string",
        ("new", c1, None, True, "missing"), ("moved", c1, c2, True, "different"), ("gone", None, c1, True, "extra"),
        ("same", c1, c1, False, "different"),
    )  # fmt: skip
