"""Texts and numbers of files as the columns that the metrics take, and what is refused because it is none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.sources.declarations import ENROLMENTS, TIMESPENT
from activity_aggregates.sources.typed import typed
from metrics.timespent import assess_timespent

MOMENT = datetime(2026, 1, 1, 10, tzinfo=UTC)
FIRST_BEYOND = 9_200_000_000_000_001


def dated(spark: SparkSession, kind: str, values: list[Any]) -> DataFrame:
    """Enrolments whose completed_on is of a kind, one for each value, in the order of their user_id."""
    rows = [(f"u{number}", "c1", "b1", True, 1, value) for number, value in enumerate(values)]
    schema = "user_id string, course_id string, batch_id string, active boolean, status int, completed_on"
    return typed(spark.createDataFrame(rows, f"{schema} {kind}"), ENROLMENTS).orderBy("user_id")


def found(rows: DataFrame) -> list[tuple[Any, bool]]:
    listed = rows.selectExpr("unix_millis(completed_on) ms", "has_invalid_date").collect()
    return [(datetime.fromtimestamp(row.ms / 1000, UTC) if row.ms is not None else None, row[1]) for row in listed]


def test_texts_that_are_times_are_read_as_such(spark: SparkSession) -> None:
    texts = [
        "2026-01-01T10:00:00Z",
        "2026-01-01 15:30:00+05:30",
        "2026-01-01 10:00:00.000000+0000",  # as cqlsh's COPY writes it
        "2026-01-01T10:00:00.000000000Z",
        "2026-01-01 10:00:00",  # without an offset: UTC
        "1767261600000",
        "1767261600000.0",  # as pandas writes it where some are null
        "1.7672616E12",  # as Spark has the same number of a JSON file
    ]
    assert found(dated(spark, "string", texts)) == [(MOMENT, False)] * len(texts)


def test_texts_that_are_none_or_are_beyond_make_the_date_invalid(spark: SparkSession) -> None:
    no_dates = [
        "",
        "never",
        "1767261600000.5",
        "2026-02-30",
        "32/01/2026",
        "20260101",
        "1767261600",
        "12:30",
        "T08",
        "45292",
        "2026-01",
    ]
    beyond = ["1764144000000000000", str(2**63), "-" + "9" * 30]
    years = ["+12026-01-01", "+294247-01-10T04:00:54Z", "-290000-01-01"]
    texts = no_dates + beyond + years
    rows = {row.user_id: row for row in dated(spark, "string", texts).collect()}
    assert [(row.completed_on, row.has_invalid_date) for row in rows.values()] == [(None, True)] * len(texts)


def test_numbers_are_epoch_milliseconds_as_far_as_a_date_can_be_held(spark: SparkSession) -> None:
    rows = dated(spark, "bigint", [1767261600000, 0, -1000, None, FIRST_BEYOND, -FIRST_BEYOND, 2**63 - 1])
    assert found(rows) == [
        (MOMENT, False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (None, False),
        (None, True),
        (None, True),
        (None, True),
    ]


@pytest.mark.parametrize("kind", ["double", "decimal(20,0)"])
def test_other_numbers_are_epoch_milliseconds_too(spark: SparkSession, ansi: str, kind: str) -> None:
    numbers = ["1767261600000", "-1000", None, "9200000000000002", "-9200000000000002", "18446744073709551615"]
    read = float if kind == "double" else Decimal
    rows = dated(spark, kind, [None if number is None else read(number) for number in numbers])
    last_second = datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert found(rows) == [(MOMENT, False), (last_second, False), (None, False), *[(None, True)] * 3]


def test_a_number_that_is_none_is_no_date(spark: SparkSession, ansi: str) -> None:
    nowhere = [float("nan"), float("inf"), float("-inf"), 1e300]
    assert found(dated(spark, "double", nowhere)) == [(None, True)] * 4


@pytest.mark.parametrize("kind", ["float", "double", "decimal(4,1)", "string"])
def test_a_status_with_a_fraction_is_none(spark: SparkSession, ansi: str, kind: str) -> None:
    read: Any = {"decimal(4,1)": Decimal, "string": str}.get(kind, float)
    values = [None, read("0"), read("2.0"), read("2.9"), read("-0.5"), read("1.1")]
    rows = spark.createDataFrame([(f"u{n}", value) for n, value in enumerate(values)], f"user_id string, status {kind}")
    found = typed(rows, ENROLMENTS).orderBy("user_id").collect()
    assert [row.status for row in found] == [None, 0, 2, -1, -1, -1]


def test_the_same_dates_are_beyond_where_they_come_as_times(spark: SparkSession) -> None:
    numbers = [-FIRST_BEYOND, 1 - FIRST_BEYOND, FIRST_BEYOND - 1, FIRST_BEYOND]
    times = dated(spark, "timestamp", [MOMENT] * 4).selectExpr(
        "user_id", "course_id", "batch_id", "active", "status",
        f"timestamp_millis(element_at(array({', '.join(f'{number}L' for number in numbers)}), "
        "cast(substr(user_id, 2) as int) + 1)) completed_on",
    )  # fmt: skip
    flags = typed(times, ENROLMENTS).select("user_id", "has_invalid_date").orderBy("user_id").collect()
    assert [row.has_invalid_date for row in flags] == [True, False, False, True]


@pytest.mark.parametrize("kind", ["timestamp_ntz", "date"])
def test_they_are_beyond_without_an_offset_too(spark: SparkSession, ansi: str, kind: str) -> None:
    days = [0, 106_481_481, -106_481_481, 106_481_483, -106_481_483, 2**31 - 1]  # 9.2e15 ms, and more
    date = "date_from_unix_date(day)" if kind == "date" else "timestamp_millis(least(day, 106700000) * 86400000L)"
    days_of_users = spark.createDataFrame([(f"u{n}", day) for n, day in enumerate(days)], "user_id string, day int")
    rows = typed(days_of_users.select("user_id", F.expr(date).cast(kind).alias("completed_on")), ENROLMENTS)
    flags = rows.select("user_id", "has_invalid_date").orderBy("user_id").collect()
    assert [row.has_invalid_date for row in flags] == [False, False, False, True, True, True]


def test_columns_that_are_not_there_are_null_and_no_certificates_are_none(spark: SparkSession) -> None:
    row = dated(spark, "timestamp", [MOMENT]).collect()[0]
    assert (row.enrolled_on, row.certificates, row.has_invalid_date) == (None, None, False)


@pytest.mark.parametrize(
    ("kind", "lists"),
    [
        ("array<map<string,string>>", [None, [], [None], [{"a": "b"}, None, {}]]),
        ("string", [None, "[]", "[null]", '[{"a": "b"}, null, {}]']),
        ("array<struct<a:string>>", [None, [], [None], [("b",), None, (None,)]]),
    ],
)
def test_of_certificates_the_number_of_those_that_are_not_null_is_kept(
    spark: SparkSession, kind: str, lists: list[Any]
) -> None:
    rows = [(f"u{number}", None, value) for number, value in enumerate(lists)]
    found = typed(spark.createDataFrame(rows, f"user_id string, status int, certificates {kind}"), ENROLMENTS)
    assert [(row.certificates, row.status) for row in found.orderBy("user_id").collect()] == [
        (0, None), (0, None), (0, None), (2, None),
    ]  # fmt: skip


def test_certificates_that_are_no_list_refuse_their_row(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("u1", 1, "{broken")], "user_id string, status int, certificates string")
    assert [row.status for row in typed(rows, ENROLMENTS).collect()] == [-1]


def test_seconds_that_nobody_can_have_spent_are_refused(spark: SparkSession) -> None:
    assert problems(spark, "u1", [None, "-1", "NaN", "Infinity", "1e10", "an hour", ""]) == {"invalid_seconds"}


def test_seconds_that_somebody_can_have_spent_are_accepted(spark: SparkSession) -> None:
    assert problems(spark, "u1", ["0", "12.5", "1e9"]) == {None}


def test_time_of_nobody_is_refused_whatever_its_seconds_are(spark: SparkSession) -> None:
    assert problems(spark, " ", ["-1", "1"]) == {"missing_key"}


def problems(spark: SparkSession, user_id: str, seconds: list[str | None]) -> set[str | None]:
    schema = "user_id string, course_id string, batch_id string, seconds string"
    rows = spark.createDataFrame([(user_id, "c1", "b1", each) for each in seconds], schema)
    return {row.problem for row in assess_timespent(typed(rows, TIMESPENT)).collect()}
