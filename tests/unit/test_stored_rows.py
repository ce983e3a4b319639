"""Stored rows as columns: what of a map is the job's own, what is taken along, and what is passed over."""

from __future__ import annotations

from typing import Any, cast

from cassandra.cluster import Session
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, TargetTable
from metrics.learners import CARRIED
from tests.harness.frames import assert_rows, frame

MAPS = "agg map<string,double>, agg_last_updated map<string,timestamp>"
KEY = "activity_type string, activity_id string, context_id string"
STORED = f"{KEY}, user_id string, {MAPS}"


class Read(StoredRows):
    """Of rows that are given, in place of those of a table."""

    def given(self, table: TargetTable, rows: DataFrame, *metrics: str) -> DataFrame:
        return self._columns(table, metrics, rows)


def stored(spark: SparkSession, carried: tuple[str, ...] = ()) -> Read:
    target = load(None, {}, {}).settings.target
    nobody = cast(Session, None)
    return Read(spark, nobody, target, {}, 0, has_scores=True, carried=carried)


def learner(agg: dict[str, float], user: str = "u1", context: str = "cb:b1") -> tuple[Any, ...]:
    return ("Course", "c1", context, user, agg, None)


def test_what_others_keep_is_taken_along_from_the_rows_of_learners(spark: SparkSession) -> None:
    rows = frame(spark, STORED, learner({"completed": 1.0, "pageViews": 7.0}), learner({"completed": 0.0}, "u2"))
    found = stored(spark, ("pageViews",)).given(ACTIVITY_USER_AGG, rows, "completed")
    columns = f"user_id string, was_completed double, {CARRIED}pageViews double"
    assert_rows(found, columns, ("u1", 1.0, 7.0), ("u2", 0.0, None))


def test_what_is_taken_along_is_no_entry_of_the_jobs_own(spark: SparkSession) -> None:
    rows = frame(spark, STORED, learner({"completed": 1.0, "pageViews": 7.0, "score:Q": 3.0}))
    found = stored(spark, ("pageViews",)).given(ACTIVITY_USER_AGG, rows, "completed")
    assert_rows(
        found, "was_entries map<string,double>, undated array<string>", ({"score:Q": 3.0}, ["completed", "score:Q"])
    )


def test_rows_of_activities_take_nothing_along(spark: SparkSession) -> None:
    rows = frame(spark, f"{KEY}, {MAPS}", ("Course", "c1", "cb:b1", {"enrolledCount": 1.0, "pageViews": 7.0}, None))
    found = stored(spark, ("pageViews",)).given(ACTIVITY_AGG, rows, "enrolledCount")
    assert f"{CARRIED}pageViews" not in found.columns
    assert_rows(found, "was_enrolledCount double", (1.0,))


def test_rows_of_other_kinds_of_contexts_are_passed_over(spark: SparkSession) -> None:
    rows = frame(spark, STORED, learner({"completed": 1.0}), learner({"completed": 1.0}, context="x:1"))
    assert_rows(
        stored(spark).given(ACTIVITY_USER_AGG, rows, "completed"),
        "context_id string, was_completed double",
        ("cb:b1", 1.0),
    )
