"""Dates beyond what Spark can hold, in Cassandra: the row that has one is known, and everybody else is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.settings import Settings, Source
from activity_aggregates.sources.changed_at import tells_write_time
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    PROGRESS,
    Sources,
    SourceTable,
    despite_dates,
)
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.erased import NOBODY
from tests.harness.environment import Environment

BEYOND = 1764144000000000000  # nanoseconds, as some client took them for milliseconds
KEYS = {
    "user_enrolments": {"courseid": "c1", "batchid": "b1"},
    "user_content_consumption": {"courseid": "c1", "batchid": "b1", "contentid": "l1"},
    "assessment_aggregator": {"course_id": "c1", "batch_id": "b1", "content_id": "Q", "attempt_id": "t1"},
    "group_attempts": {"group_id": "g1", "content_id": "Q", "attempt_id": "t1"},
}
# Table, its date, and the name of the user's id there.
DATED = [
    (ENROLMENTS, "user_enrolments", "completedon", "userid"),
    (ENROLMENTS, "user_enrolments", "enrolled_date", "userid"),
    (ENROLMENTS, "user_enrolments", "lastcontentaccesstime", "userid"),
    (PROGRESS, "user_content_consumption", "last_access_time", "userid"),
    (ATTEMPTS, "assessment_aggregator", "last_attempted_on", "user_id"),
    (GROUP_ATTEMPTS, "group_attempts", "last_attempted_on", "user_id"),
]
Opens = Callable[[], Sources]


@pytest.fixture
def opens(spark: SparkSession, made: Environment, tmp_path: Any) -> Opens:
    """Opens the sources of the environment, emptied."""
    made.empty()
    settings: Settings = load(made.configure({}, tmp_path), os.environ, {}).settings
    reached = connection(settings.cassandra, os.environ)
    return lambda: Sources(spark, settings.sources, spark_options(reached), NOBODY, connection=reached)


def rows_of(frame: DataFrame) -> dict[str, Row]:
    """Rows by user, with dates as milliseconds: Python's cannot hold all of them."""
    shown = [f"unix_millis({name}) {name}" if kind == "timestamp" else name for name, kind in frame.dtypes]
    return {row.user_id: row for row in frame.selectExpr(*shown).collect()}


@pytest.mark.parametrize(("table", "name", "date", "user"), DATED, ids=[f"{each[1]}.{each[2]}" for each in DATED])
def test_one_date_that_is_beyond_marks_its_row_and_changes_no_other(
    made: Environment, opens: Opens, table: SourceTable, name: str, date: str, user: str
) -> None:
    rows = [{**KEYS[name], user: f"u{number}", date: "2026-01-01T00:00:00Z"} for number in range(40)]
    made.store.load(name, rows)
    normal = rows_of(opens().frame(table))
    made.store.load(name, [{**rows[7], date: BEYOND}])
    found = despite_dates(opens(), lambda sources: rows_of(sources.frame(table)))
    assert [user_id for user_id, row in found.items() if row.has_invalid_date] == ["u7"]
    assert {**found, "u7": normal["u7"]} == normal


def test_certificates_and_write_times_are_read_beside_such_a_date(made: Environment, opens: Opens) -> None:
    first, second = ({**KEYS["user_enrolments"], "userid": user} for user in ("u1", "u2"))
    made.store.load("user_enrolments", [{**first, "status": 1, "issued_certificates": [{"a": "b"}, {}]}, second])
    normal = rows_of(opens().dated(ENROLMENTS))
    made.store.load("user_enrolments", [{**second, "completedon": BEYOND}])
    found = despite_dates(opens(), lambda sources: rows_of(sources.dated(ENROLMENTS)))
    assert (found["u1"].certificates, found["u2"].certificates) == (2, 0)
    assert found["u1"] == normal["u1"]
    assert normal["u1"].changed_at is not None
    assert normal["u2"].changed_at is None
    assert found["u2"].changed_at >= found["u1"].changed_at


def test_a_column_without_write_time_is_found_by_asking_the_store(made: Environment) -> None:
    reached = connection(load(None, os.environ, {}).settings.cassandra, os.environ)
    source = Source(format="cassandra", keyspace=made.sources, table="user_enrolments")
    known = {name: tells_write_time(reached, source, name) for name in ("issued_certificates", "status", "userid")}
    assert known == {"issued_certificates": True, "status": True, "userid": False}


def test_keys_are_looked_up_beside_such_a_date(made: Environment, opens: Opens, spark: SparkSession) -> None:
    rows = [{**KEYS["user_enrolments"], "userid": f"u{number}", "status": number % 3} for number in range(9)]
    made.store.load("user_enrolments", [*rows[:8], {**rows[8], "completedon": BEYOND}])
    keys = spark.createDataFrame(
        [("u1", "c1"), ("u8", "c1"), ("u2", "c2"), ("nobody", "c1"), ("", "c1")], "user_id string, course_id string"
    )

    def looked_up(sources: Sources) -> dict[str, Row]:
        return rows_of(sources.matching(ENROLMENTS, keys, ["user_id", "course_id"], by_lookup=True))

    found = despite_dates(opens(), looked_up)
    assert {user: (row.status, row.has_invalid_date) for user, row in found.items()} == {
        "u1": (1, False),
        "u8": (2, True),
    }


def test_tables_without_such_a_date_are_still_read_by_spark(made: Environment, opens: Opens) -> None:
    made.store.load("user_enrolments", [{**KEYS["user_enrolments"], "userid": "u1", "completedon": BEYOND}])
    sources = opens().with_dates_as_numbers()
    plans = {table.name: sources.frame(table)._jdf.queryExecution().toString() for table in (ENROLMENTS, PROGRESS)}
    assert {name: "MapInArrow" in plan for name, plan in plans.items()} == {"enrolments": True, "progress": False}


def test_what_fails_for_another_reason_is_not_read_again(opens: Opens, spark: SparkSession) -> None:
    read: list[Sources] = []

    def failing(sources: Sources) -> None:
        read.append(sources)
        spark.range(1).selectExpr("raise_error('java.lang.ArithmeticException: long overflow')").collect()

    with pytest.raises(Exception, match="long overflow"):
        despite_dates(opens(), failing)
    assert len(read) == 1
