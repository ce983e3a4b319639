"""Compared rows entry by entry, and what a person is told of them."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.changes.change_set import staged_schema
from activity_aggregates.changes.entries import entries_that_differ
from activity_aggregates.changes.findings import TableFindings, counted, examples, findings, plain
from metrics.declarations import EVERYTHING, all_names
from tests.harness.frames import assert_rows, frame

SCHEMA = staged_schema(all_names())
COLUMNS = [column.partition(" ")[0] for column in SCHEMA.split(", ")]
COURSE = {"activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1"}


def staged(**values: Any) -> tuple[Any, ...]:
    row: dict[str, Any] = {"is_changed": True, "newer": 0, "is_undated": False} | COURSE | values
    assert set(row) <= set(COLUMNS)
    return tuple(row.get(column) for column in COLUMNS)


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return frame(
        spark, SCHEMA,
        staged(
            table="activity_user_agg", user_id="u1", kind="different", completed=1.0, was_completed=0.0,
            startedCount=2.0, was_startedCount=2.0, entries={"score:B": 1.0, "score:C": 3.0},
            was_entries={"score:A": 1.0, "score:C": 3.0},
        ),
        staged(table="activity_agg", kind="extra", was_completedCount=7.0),
        staged(table="activity_agg", kind="different", context_id="cb:b2", completedCount=9.0, was_completedCount=7.0),
        staged(
            table="activity_metadata", context_id=None, kind="different", texts={"name": "new"},
            was_texts={"name": "old", "status": "Live"},
        ),
    )  # fmt: skip


def test_entries_that_differ_have_both_values_and_equal_ones_are_left_out(rows: DataFrame) -> None:
    of_metrics = entries_that_differ(rows.filter("table LIKE '%agg'"), EVERYTHING)
    assert_rows(
        of_metrics, "table string, context_id string, metric string, before double, after double",
        ("activity_user_agg", "cb:b1", "completed", 0.0, 1.0), ("activity_user_agg", "cb:b1", "score:A", 1.0, None),
        ("activity_user_agg", "cb:b1", "score:B", None, 1.0), ("activity_agg", "cb:b1", "completedCount", 7.0, None),
        ("activity_agg", "cb:b2", "completedCount", 7.0, 9.0),
    )  # fmt: skip


def test_findings_are_counted_by_table_kind_and_metric(rows: DataFrame) -> None:
    found = counted(findings(rows, EVERYTHING))
    assert found["activity_agg"].rows == {"extra": 1, "different": 1}
    assert found["activity_agg"].metrics == {"completedCount": {"extra": 1, "different": 1}}
    assert found["activity_metadata"].metrics == {"name": {"different": 1}, "status": {"different": 1}}
    assert found["group_activity_agg"] == TableFindings()
    assert (found["activity_user_agg"].total, found["activity_agg"].total) == (1, 2)


def test_of_each_kind_the_rows_that_are_furthest_apart_are_the_examples(spark: SparkSession) -> None:
    apart = frame(
        spark, SCHEMA,
        *(
            staged(table="activity_agg", context_id=f"cb:{after}", kind="different", completedCount=float(after),
                   was_completedCount=10.0)
            for after in (11, 30, 2)
        ),
    )  # fmt: skip
    found = examples(findings(apart, EVERYTHING), 2, by=("table", "kind"))
    assert [row.context_id for row in found["activity_agg", "different"]] == ["cb:30", "cb:2"]


def test_a_finding_in_plain_types_has_its_key_and_what_is_stored_and_computed(rows: DataFrame) -> None:
    found = examples(findings(rows, EVERYTHING), 1, by=("table", "kind"))
    assert plain(found["activity_agg", "different"][0]) == {
        "table": "activity_agg", "kind": "different", "key": COURSE | {"context_id": "cb:b2"},
        "metrics": {"completedCount": {"before": 7.0, "after": 9.0}},
    }  # fmt: skip
    texts = plain(found["activity_metadata", "different"][0])["metrics"]
    assert texts == {"name": {"before": "old", "after": "new"}, "status": {"before": "Live", "after": None}}
