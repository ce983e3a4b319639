"""Values of declared metrics as columns: absent where they do not stand, whole numbers until the end."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from metrics.declarations import Metric
from metrics.values import stands, with_values
from tests.harness.frames import assert_rows, frame


def metric(
    name: str, types: tuple[str, ...] = ("Course", "Quiz"), value: str | None = None, adds: str | None = None,
    scale: int = 1,
) -> Metric:  # fmt: skip
    return Metric(name, "completion", "", "", (), types, value, adds, scale)


ROWS = "activity_type string, n bigint, m bigint"


@pytest.mark.usefixtures("ansi")
def test_what_is_derived_sees_whole_numbers_and_sums_are_shown_by_their_scale(spark: SparkSession) -> None:
    metrics = [metric("n", adds="…", scale=100), metric("half", value="n div 2 / 100D")]
    found = with_values(frame(spark, ROWS, ("Quiz", 9999, 0)), metrics, "activity_type")
    assert_rows(found, "activity_type string, n double, half double", ("Quiz", 99.99, 49.99))


def test_a_metric_may_rest_on_one_that_stands_before_it(spark: SparkSession) -> None:
    metrics = [metric("double", value="2 * n"), metric("four", value="2 * double")]
    assert_rows(with_values(frame(spark, ROWS, ("Quiz", 3, 0)), metrics), "four double", (12.0,))


def test_a_metric_is_absent_in_rows_of_other_types(spark: SparkSession) -> None:
    metrics = [metric("n", ("Course",)), metric("twice", ("Quiz",), "2 * n")]
    found = with_values(frame(spark, ROWS, ("Course", 1, 0), ("Quiz", 1, 0)), metrics)
    assert_rows(found, "n double, twice double", (1.0, None), (None, 2.0))


def test_a_name_that_is_declared_twice_has_the_value_of_each_type(spark: SparkSession) -> None:
    metrics = [metric("share", ("Course",), "n / 2"), metric("share", ("Quiz",), "m / 2")]
    found = with_values(frame(spark, ROWS, ("Course", 1, 9), ("Quiz", 1, 9)), metrics, "activity_type")
    assert_rows(found, "activity_type string, share double", ("Course", 0.5), ("Quiz", 4.5))


def test_a_row_stands_while_it_has_any_of_the_metrics(spark: SparkSession) -> None:
    rows = frame(spark, "a double, b double, entries map<string,double>", (None, 0.0, None), (None, None, {"x": 1.0}))
    assert [row.stands for row in rows.select(stands(["a", "b"]).alias("stands")).collect()] == [True, False]
