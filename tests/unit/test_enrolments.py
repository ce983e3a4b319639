"""Which enrolments are refused and why, and what several rows of one enrolment mean together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.sources.declarations import ENROLMENTS
from activity_aggregates.sources.typed import typed
from metrics.enrolments import (
    DETAILS,
    assess_enrolments,
    contexts,
    enrolments_by_key,
    retired_rows,
)
from metrics.keys import enrolment_key
from metrics.refusals import accepted, refusal_counts, refused
from tests.harness.frames import assert_rows, frame

DATE = datetime(2026, 1, 1, tzinfo=UTC)
COURSES = [
    ("c1", None, False),
    ("blank", "missing_hierarchy", False),
    ("broken", "invalid_hierarchy", False),
    ("hollow", "empty_hierarchy", False),
    ("retired", None, True),
]


def assessed(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    """Rows of (user_id, course_id, batch_id, active, status, completed_on), the last ones null where left out."""
    return assessed_of(spark, "timestamp", *((*row, *[None] * (6 - len(row))) for row in rows))


def assessed_of(spark: SparkSession, kind_of_date: str, *rows: tuple[Any, ...]) -> DataFrame:
    schema = "user_id string, course_id string, batch_id string, active boolean, status int, completed_on"
    enrolments = typed(spark.createDataFrame([*rows], f"{schema} {kind_of_date}"), ENROLMENTS)
    return assess_enrolments(
        enrolments, spark.createDataFrame(COURSES, "course_id string, problem string, is_retired boolean")
    )


def test_each_refused_row_has_the_first_reason_that_holds(spark: SparkSession) -> None:
    expected = {
        (None, "c404", "b1", 9): "missing_key",
        ("", "c1", "b1", 1): "missing_key",
        (" \t", "c1", "b1", 1): "missing_key",
        ("é" * 513, "c1", "b1", 1): "missing_key",
        ("é" * 512, "c1", "b1", 1): None,
        ("u1", None, "b1", 1): "missing_key",
        ("u1", "broken", "", 1): "missing_key",
        ("u1", "c404", "b1", 9): "invalid_status",
        ("u1", "retired", "b1", 3): "invalid_status",
        ("u1", "c1", "b1", -1): "invalid_status",
        ("u1", "c404", "b1", 1): "missing_hierarchy",
        ("u1", "blank", "b1", None): "missing_hierarchy",
        ("u1", "broken", "b1", 2): "invalid_hierarchy",
        ("u1", "hollow", "b1", 0): "empty_hierarchy",
        ("u1", "retired", "b1", 2): None,
        ("u1", "c1", "b1", 0): None,
        ("u1", "c1", "b1", None): None,
    }
    rows = assessed(spark, *((user, course, batch, True, status) for user, course, batch, status in expected))
    found = {(row.user_id, row.course_id, row.batch_id, row.status): row.problem for row in rows.collect()}
    assert found == expected
    dates = ["completed_on", "enrolled_on", "accessed_on"]
    key = ["user_id", "course_id", "batch_id"]
    assert rows.columns == [*key, "active", "status", *dates, "certificates", "problem", "is_retired"]


def test_a_date_that_is_none_is_the_reason_after_key_and_status_and_before_the_course(spark: SparkSession) -> None:
    expected = {
        ("", "c1", 1): "missing_key",
        ("u1", "broken", 9): "invalid_status",
        ("u1", "broken", 1): "invalid_date",
        ("u1", "retired", 1): "invalid_date",
        ("u1", "c1", None): "invalid_date",
    }
    rows = assessed_of(
        spark, "string", *((user, course, "b1", True, status, "never") for user, course, status in expected)
    )
    assert {(row.user_id, row.course_id, row.status): row.problem for row in rows.collect()} == expected


def test_dates_and_certificates_are_kept_for_who_asks_for_them(spark: SparkSession) -> None:
    schema = "user_id string, course_id string, batch_id string, enrolled_on string, certificates string"
    row = spark.createDataFrame([("u1", "c1", "b1", "2026-01-01", '[{"name": "Algebra"}]')], schema)
    courses = spark.createDataFrame(COURSES, "course_id string, problem string, is_retired boolean")
    found = assess_enrolments(typed(row, ENROLMENTS), courses).selectExpr(
        "unix_millis(enrolled_on) enrolled_on", "accessed_on", "certificates"
    )
    assert [tuple(each) for each in found.collect()] == [(1767225600000, None, 1)]


def test_refused_rows_are_counted_by_reason_and_kept_with_their_key(spark: SparkSession) -> None:
    rows = assessed(spark, ("u1", "c404", "b1"), ("u2", "c404", "b1"), (None, "c1", "b1"), ("u1", "retired", "b1"))
    counts = rows.agg(*refusal_counts("missing_key", "missing_hierarchy", "invalid_status"), retired_rows()).first()
    assert counts is not None
    assert counts.asDict() == {
        "read": 4, "missing_key": 1, "missing_hierarchy": 2, "invalid_status": 0, "retired": 1,
    }  # fmt: skip
    assert {tuple(row) for row in refused(rows, "user_id", "course_id", "batch_id").collect()} == {
        ("missing_hierarchy", '{"user_id":"u1","course_id":"c404","batch_id":"b1"}'),
        ("missing_hierarchy", '{"user_id":"u2","course_id":"c404","batch_id":"b1"}'),
        ("missing_key", '{"user_id":null,"course_id":"c1","batch_id":"b1"}'),
    }


def test_of_several_rows_any_active_one_enrols_and_any_completed_one_earns(spark: SparkSession) -> None:
    rows = assessed(
        spark,
        ("null-is-active", "c1", "b1", None, None),
        ("inactive", "c1", "b1", False, 1),
        ("any-active", "c1", "b1", False, 1),
        ("any-active", "c1", "b1", True, 0),
        ("any-completed", "c1", "b1", False, 2),
        ("any-completed", "c1", "b1", True, None),
        ("dated", "c1", "b1", True, 1, DATE),
        ("dated", "c1", "b1", True, 1),
    )
    found = {row.user_id: (row.is_enrolled, row.is_earned) for row in enrolments_by_key(accepted(rows)).collect()}
    assert found == {
        "null-is-active": (True, False),
        "inactive": (False, False),
        "any-active": (True, False),
        "any-completed": (True, True),
        "dated": (True, True),
    }


def test_of_several_rows_the_earliest_dates_the_latest_access_and_any_certificate_count(spark: SparkSession) -> None:
    def at(second: int) -> datetime:
        return datetime.fromtimestamp(second, UTC)

    key = "user_id string, course_id string, batch_id string, is_retired boolean"
    dates = "enrolled_on timestamp, completed_on timestamp, accessed_on timestamp"
    rows = frame(
        spark, f"{key}, active boolean, status int, {dates}, certificates int",
        ("u1", "c1", "b1", False, True, 1, at(2), at(5), at(7), 0),
        ("u1", "c1", "b1", False, True, 1, at(1), at(6), at(8), 2),
        ("u1", "c1", "b1", False, True, 1, None, None, None, None),
        ("u2", "c1", "b1", True, True, 1, None, None, None, 0),
    )  # fmt: skip
    found = enrolments_by_key(rows)
    names = ["user_id", "course_id", "batch_id", "is_retired", "is_enrolled", "is_earned", *DETAILS]
    assert found.columns == ["key_high", "key_low", *names]
    assert_rows(
        found, f"{key}, is_earned boolean, enrolledOn bigint, completedOn bigint, lastActiveOn bigint, certified int",
        ("u1", "c1", "b1", False, True, 1000, 5000, 8000, 1), ("u2", "c1", "b1", True, False, None, None, None, 0),
    )  # fmt: skip


def test_enrolments_have_keys_of_their_own_also_where_their_names_run_together(spark: SparkSession) -> None:
    rows = [("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"), ("d", "c", "ab")]
    keys = frame(spark, "user_id string, course_id string, batch_id string", *rows).select(*enrolment_key()).collect()
    assert len({row.key_high for row in keys}) == len({row.key_low for row in keys}) == len(rows)


def test_a_batch_with_inactive_rows_only_is_a_context(spark: SparkSession) -> None:
    rows = assessed(
        spark,
        ("u1", "c1", "b1", True),
        ("u2", "c1", "b1", False),
        ("u1", "c1", "b2", False),
        ("u1", "retired", "b3", True),
    )
    found = sorted(tuple(row) for row in contexts(enrolments_by_key(accepted(rows))).collect())
    assert found == [("c1", "cb:b1"), ("c1", "cb:b2")]


def test_of_a_key_that_is_too_long_the_quarantine_has_the_beginning(spark: SparkSession) -> None:
    kept = refused(assessed_of(spark, "timestamp", ("é" * 513, "c1", "b1", True, 1, None)), "user_id", "course_id")
    row_key = '{"user_id":"' + "é" * 64 + '…","course_id":"c1"}'
    assert [tuple(row) for row in kept.collect()] == [("missing_key", row_key)]
