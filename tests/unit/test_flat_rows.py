"""Stored rows with a column for each entry, as they are exported."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.erased_rows import without_erased
from activity_aggregates.store.erased import NOBODY, Erased
from activity_aggregates.store.flat_rows import among, metric_rows, text_rows, with_maps_as_json
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_METADATA,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from tests.harness.frames import assert_rows, frame

MAPS = "agg map<string,double>, dates map<string,timestamp>"
OF_LEARNERS = f"activity_type string, activity_id string, user_id string, context_id string, {MAPS}"
OF_ACTIVITIES = f"activity_type string, activity_id string, context_id string, {MAPS}"
AT = datetime(2026, 1, 31, 6, tzinfo=UTC)


def metrics_of(
    rows: DataFrame, table: TargetTable, *names: str, has_scores: bool = False, has_dates: bool = False
) -> DataFrame:
    return metric_rows(rows, table, names, has_scores, has_dates)


@pytest.mark.usefixtures("ansi")
def test_each_metric_is_a_column_and_what_others_keep_is_none(spark: SparkSession) -> None:
    stored = frame(spark, OF_ACTIVITIES, ("Course", "c1", "cb:b1", {"completedCount": 2.0, "theirs": 7.0}, None))
    found = metrics_of(stored, ACTIVITY_AGG, "enrolledCount", "completedCount")
    assert found.columns == ["activity_type", "activity_id", "context_id", "enrolledCount", "completedCount"]
    assert_rows(found, "activity_id string, enrolledCount double, completedCount double", ("c1", None, 2.0))


def test_rows_without_an_own_metric_or_of_kinds_that_are_not_served_are_left_out(spark: SparkSession) -> None:
    stored = frame(
        spark, OF_ACTIVITIES,
        ("Course", "emptied", "cb:b1", {}, None), ("Course", "none", "cb:b1", None, None),
        ("Course", "theirs", "cb:b1", {"theirs": 7.0}, None), ("Course", "elsewhere", "x:1", {"n": 1.0}, None),
        ("Textbook", "of another type", "cb:b1", {"n": 1.0}, None), ("Quiz", "stays", "g:1", {"n": 0.0}, None),
    )  # fmt: skip
    assert_rows(metrics_of(stored, ACTIVITY_AGG, "n"), "activity_id string, n double", ("stays", 0.0))


def test_a_table_of_groups_has_rows_of_every_type(spark: SparkSession) -> None:
    stored = frame(spark, f"group_id string, activity_type string, activity_id string, {MAPS}",
                   ("g1", "TextBook", "c1", {"memberCount": 2.0}, None))  # fmt: skip
    assert metrics_of(stored, GROUP_ACTIVITY_AGG, "memberCount").collect()[0]["activity_type"] == "TextBook"


def test_entries_with_ids_in_their_names_are_one_map_where_they_are_the_jobs_own(spark: SparkSession) -> None:
    stored = frame(
        spark, OF_LEARNERS,
        ("Course", "c1", "u1", "cb:b1", {"completed": 1.0, "score:q": 3.0, "max_score:q": 4.0, "theirs": 1.0}, None),
        ("Course", "c1", "u2", "cb:b1", {"completed": 0.0}, None),
    )  # fmt: skip
    found = metrics_of(stored, ACTIVITY_USER_AGG, "completed", has_scores=True)
    assert_rows(found, "user_id string, completed double, entries map<string,double>",
                ("u1", 1.0, {"score:q": 3.0, "max_score:q": 4.0}), ("u2", 0.0, None))  # fmt: skip
    assert "entries" not in metrics_of(stored, ACTIVITY_USER_AGG, "completed").columns


def test_each_column_has_its_date_where_dates_are_asked_for(spark: SparkSession) -> None:
    dates = {"completed": AT, "score:q": AT, "theirs": AT}
    stored = frame(
        spark, OF_LEARNERS, ("Course", "c1", "u1", "cb:b1", {"completed": 1.0, "score:q": 3.0}, dates)
    )  # fmt: skip
    found = metrics_of(stored, ACTIVITY_USER_AGG, "completed", has_scores=True, has_dates=True)
    assert found.columns[4:] == ["completed", "entries", "completed_last_updated", "entries_last_updated"]
    row = with_maps_as_json(found.selectExpr("*", "string(completed_last_updated) AS at")).collect()[0]
    assert (row["at"], row["entries_last_updated"]) == (
        "2026-01-31 06:00:00", '{"score:q":"2026-01-31T06:00:00.000Z"}'
    )  # fmt: skip


def test_an_entry_that_is_taken_along_may_be_called_anything_but_what_a_column_is(spark: SparkSession) -> None:
    stored = frame(spark, f"group_id string, activity_type string, activity_id string, user_id string, {MAPS}",
                   ("g1", "Course", "c1", "u1", {"minutes. (all)": 5.0}, None))  # fmt: skip
    found = metrics_of(stored, GROUP_ACTIVITY_USER_AGG, "completed", "minutes. (all)", has_scores=True)
    assert found.collect()[0]["minutes. (all)"] == 5.0
    with pytest.raises(BadRequest, match=r"two columns would be called user_id: leave out of metrics\.carry"):
        metrics_of(stored, GROUP_ACTIVITY_USER_AGG, "completed", "User_Id")


def test_texts_that_are_the_jobs_own_are_a_map_or_a_column(spark: SparkSession) -> None:
    described = frame(
        spark, "activity_type string, activity_id string, metadata map<string,string>",
        ("Course", "c1", {"name": 'a "name"', "theirs": "x"}), ("Course", "c2", {"theirs": "x"}),
        ("Course", "c3", None),
    )  # fmt: skip
    found = text_rows(described, ACTIVITY_METADATA, lambda name: name == "name")
    assert_rows(with_maps_as_json(found), "activity_id string, metadata string", ("c1", '{"name":"a \\"name\\""}'))
    places = frame(spark, "context_id string, activity_type string, activity_id string, course_id string",
                   ("cb:b1", "Quiz", "q", "c1"), ("cb:b1", "Quiz", "gone", None))  # fmt: skip
    owned = text_rows(places, ACTIVITY_CATALOG, lambda name: name == "")
    assert_rows(owned, "activity_id string, course_id string", ("q", "c1"))


def test_rows_are_chosen_by_context_and_by_activity_of_a_type_or_of_any(spark: SparkSession) -> None:
    rows = frame(
        spark, "activity_type string, activity_id string, context_id string",
        ("Course", "c1", "cb:b1"), ("CourseUnit", "c1", "cb:b2"), ("Quiz", "q", "cb:b1"), ("Quiz", "r", "cb:b1"),
    )  # fmt: skip

    def found(contexts: set[str], *activities: tuple[str | None, str]) -> list[str]:
        return [
            " ".join(row) for row in among(rows, contexts, activities).sort("activity_type", "activity_id").collect()
        ]

    assert found({"cb:b1"}, ("Course", "c1"), ("Quiz", "q")) == ["Course c1 cb:b1", "Quiz q cb:b1"]
    assert found(set(), (None, "c1"), ("Quiz", "r")) == ["Course c1 cb:b1", "CourseUnit c1 cb:b2", "Quiz r cb:b1"]
    assert found({"cb:b1", "cb:b2"}, ("CourseUnit", "c1")) == ["CourseUnit c1 cb:b2"]
    assert found({"cb:b3"}) == []


def test_rows_of_erased_learners_are_left_out_whatever_else_they_hold(spark: SparkSession) -> None:
    rows = frame(spark, "user_id string, n double, entries map<string,double>, at map<string,timestamp>",
                 ("stays", 1.0, {"score:q": 1.0}, {"score:q": AT}), ("goes", 2.0, None, None))  # fmt: skip
    erased = Erased(b"a secret of a test").with_users(["goes"])
    assert_rows(without_erased(rows, erased), "user_id string, n double, entries map<string,double>",
                ("stays", 1.0, {"score:q": 1.0}))  # fmt: skip
    assert without_erased(rows, NOBODY) is rows
