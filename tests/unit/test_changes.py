"""What a run does to stored rows: the change set against literal rows of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import change_counts, compare, is_changed
from metrics.ownership import is_own

BEFORE, AS_OF, AFTER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
METRICS = "map<string,double>"

# What is computed for a row, and what is stored: {name: (value, date)}. Rows are closed or unsettled by their names.
Entries = dict[str, tuple[float, datetime]]
ROWS: dict[str, tuple[dict[str, float] | None, Entries | None]] = {
    "new": ({"score": 1.0, "completed": 0.0}, None),
    "equal": ({"score": 1.0}, {"score": (1.0, BEFORE), "timespent": (7.0, BEFORE)}),
    "changed": ({"score": 2.0, "maxScore": 3.0}, {"score": (1.0, BEFORE), "maxScore": (3.0, BEFORE)}),
    "narrower": ({"score": 1.0}, {"score": (1.0, BEFORE), "score:Q": (5.0, BEFORE), "timespent": (7.0, BEFORE)}),
    "gone": (None, {"score": (1.0, BEFORE), "max_score:Q": (3.0, BEFORE), "timespent": (7.0, BEFORE)}),
    "foreign": (None, {"timespent": (7.0, AFTER), "scores": (1.0, BEFORE)}),
    "same-time": ({"score": 2.0}, {"score": (1.0, AS_OF)}),
    "newer": ({"score": 2.0, "maxScore": 4.0}, {"score": (1.0, AFTER), "maxScore": (3.0, BEFORE)}),
    "newer-gone": (None, {"score": (1.0, AFTER), "maxScore": (3.0, BEFORE)}),
    "newer-narrower": ({"score": 1.0}, {"score": (1.0, BEFORE), "score:Q": (5.0, AFTER)}),
    "closed": ({"score": 2.0}, {"score": (1.0, BEFORE), "maxScore": (3.0, BEFORE)}),
    "closed-gone": (None, {"score": (1.0, BEFORE)}),
    "unsettled-gone": (None, {"score": (1.0, BEFORE)}),
    "unsettled-narrower": ({"score": 2.0}, {"score": (1.0, BEFORE), "maxScore": (3.0, BEFORE)}),
}


@pytest.fixture(scope="module")
def compared(spark: SparkSession) -> dict[str, Row]:
    computed = [(name, agg) for name, (agg, _) in ROWS.items() if agg is not None]
    stored = [
        (name, {key: value for key, (value, _) in entries.items()}, {key: date for key, (_, date) in entries.items()})
        for name, (_, entries) in ROWS.items()
        if entries is not None
    ]
    rows = compare(
        spark.createDataFrame(computed, f"id string, agg {METRICS}"),
        spark.createDataFrame(stored, f"id string, agg {METRICS}, agg_last_updated map<string,timestamp>"),
        ["id"],
        is_own("activity_user_agg", scores_in_course=True),
        round(AS_OF.timestamp() * 1000),
        is_open=~F.col("id").startswith("closed"),
        is_retractable=~F.col("id").startswith("unsettled"),
    )
    return {row.id: row for row in rows.withColumn("is_changed", is_changed()).collect()}


def change(row: Row) -> tuple[dict[str, float], set[str]]:
    return row.to_set, set(row.to_remove)


def test_a_new_row_is_set_whole(compared: dict[str, Row]) -> None:
    assert change(compared["new"]) == ({"score": 1.0, "completed": 0.0}, set())


def test_only_what_differs_is_set_and_its_former_value_kept(compared: dict[str, Row]) -> None:
    assert change(compared["changed"]) == ({"score": 2.0}, set())
    assert compared["changed"].was == {"score": 1.0}


def test_what_is_equal_is_not_in_the_change_set(compared: dict[str, Row]) -> None:
    assert {name for name, row in compared.items() if not row.is_changed} == {
        "equal", "foreign", "newer-narrower", "closed", "closed-gone", "unsettled-gone",
    }  # fmt: skip


def test_own_metrics_that_are_no_longer_computed_are_removed_and_foreign_ones_never(compared: dict[str, Row]) -> None:
    assert change(compared["narrower"]) == ({}, {"score:Q"})
    assert change(compared["gone"]) == ({}, {"score", "max_score:Q"})
    assert compared["gone"].was == {"score": 1.0, "max_score:Q": 3.0}
    assert change(compared["foreign"]) == ({}, set())


def test_a_row_is_retracted_when_all_of_its_own_metrics_go(compared: dict[str, Row]) -> None:
    assert {name for name, row in compared.items() if row.is_retracted} == {"gone"}


def test_entries_of_a_newer_run_are_left_alone_and_counted(compared: dict[str, Row]) -> None:
    assert change(compared["newer"]) == ({"maxScore": 4.0}, set())
    assert change(compared["newer-gone"]) == ({}, {"maxScore"})
    assert change(compared["newer-narrower"]) == ({}, set())
    assert {name: row.newer_count for name, row in compared.items() if row.newer_count} == {
        "newer": 1, "newer-gone": 1, "newer-narrower": 1,
    }  # fmt: skip


def test_an_entry_of_the_same_time_is_not_newer(compared: dict[str, Row]) -> None:
    assert change(compared["same-time"]) == ({"score": 2.0}, set())


def test_a_row_outside_the_scope_is_not_changed(compared: dict[str, Row]) -> None:
    assert change(compared["closed"]) == change(compared["closed-gone"]) == ({}, set())
    assert compared["closed"].agg_after == {"score": 1.0, "maxScore": 3.0}


def test_an_unsettled_row_is_kept_while_nothing_is_computed_for_it(compared: dict[str, Row]) -> None:
    assert change(compared["unsettled-gone"]) == ({}, set())
    assert change(compared["unsettled-narrower"]) == ({"score": 2.0}, {"maxScore"})


def test_a_row_after_the_run_has_its_own_metrics_only(compared: dict[str, Row]) -> None:
    after = {name: row.agg_after for name, row in compared.items()}
    assert after["equal"] == after["narrower"] == {"score": 1.0}
    assert after["changed"] == {"score": 2.0, "maxScore": 3.0}
    assert after["newer"] == {"score": 1.0, "maxScore": 4.0}
    assert after["newer-gone"] == {"score": 1.0}
    assert after["gone"] == after["foreign"] == {}


def test_rows_are_counted_by_what_happens_to_them(spark: SparkSession, compared: dict[str, Row]) -> None:
    kept = (
        "to_set map<string,double>, to_remove array<string>, stored_count int, newer_count int, is_retracted boolean, "
        "agg_after map<string,double>"
    )
    rows: list[Any] = [
        (row.to_set, row.to_remove, row.stored_count, row.newer_count, row.is_retracted, row.agg_after)
        for row in compared.values()
    ]
    found = spark.createDataFrame(rows, kept).agg(*change_counts()).first()
    assert found is not None
    assert found.asDict() == {"stored": 12, "changed": 8, "retracted": 1, "newer": 3, "after": 12}


def test_scores_of_quizzes_are_foreign_while_they_are_not_kept_and_in_rows_of_activities(spark: SparkSession) -> None:
    names = spark.createDataFrame([("score",), ("score:Q",), ("enrolledCount",), ("timespent",)], "name string")
    predicates = {
        "learners": is_own("activity_user_agg", scores_in_course=True),
        "without scores": is_own("activity_user_agg", scores_in_course=False),
        "activities": is_own("activity_agg", scores_in_course=True),
    }
    rows = names.select("name", *(owns(F.col("name")).alias(key) for key, owns in predicates.items())).collect()
    assert {key: {row.name for row in rows if row[key]} for key in predicates} == {
        "learners": {"score", "score:Q"},
        "without scores": {"score"},
        "activities": {"enrolledCount"},
    }


def test_texts_are_compared_as_numbers_are(spark: SparkSession) -> None:
    texts = "map<string,string>"
    (row,) = compare(
        spark.createDataFrame([("c1", {"name": "new", "status": "Live"})], f"id string, agg {texts}"),
        spark.createDataFrame(
            [("c1", {"name": "old", "status": "Live", "endDate": "x", "colour": "red"}, {})],
            f"id string, agg {texts}, agg_last_updated map<string,timestamp>",
        ),
        ["id"],
        lambda name: name.isin("name", "status", "endDate"),
        0,
        is_open=F.lit(True),
        is_retractable=F.lit(False),
    ).collect()
    assert (row.to_set, row.to_remove, row.was) == ({"name": "new"}, ["endDate"], {"name": "old", "endDate": "x"})
