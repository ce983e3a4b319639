"""Percentages, where doubles alone would be off by a hundredth."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from metrics.percentages import percentage, score_percentage

Pairs = list[tuple[float, float]]
pytestmark = pytest.mark.usefixtures("ansi")


def of_counts(spark: SparkSession, pairs: Pairs, of_nothing: int = 0) -> list[float]:
    frame = spark.createDataFrame(pairs, "part bigint, whole bigint")
    return [row[0] for row in frame.select(F.expr(percentage("part", "whole", of_nothing))).collect()]


def of_scores(spark: SparkSession, pairs: Pairs) -> list[float]:
    frame = spark.createDataFrame(pairs, "score double, maximum double")
    return [row[0] for row in frame.select(F.expr(score_percentage("score", "maximum"))).collect()]


def test_a_percentage_of_counts_is_floored_to_two_decimals(spark: SparkSession) -> None:
    expected = {
        (57, 100): 57.0,
        (23, 125): 18.4,
        (199, 200): 99.5,
        (29, 100): 29.0,
        (2, 3): 66.66,
        (1, 7): 14.28,
        (0, 7): 0.0,
        (7, 7): 100.0,
        (9_999_999, 10_000_000): 99.99,
        (1, 1_000_000): 0.0,
        (400_000_000_000, 700_000_000_000): 57.14,
    }
    assert dict(zip(expected, of_counts(spark, [*expected]), strict=True)) == expected


def test_a_percentage_of_a_product_is_that_of_the_whole_product(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(7, 3, 7)], "done bigint, learners bigint, leaves bigint")
    assert frame.select(F.expr(percentage("done", "learners * leaves", of_nothing=100))).first() == (33.33,)


def test_counts_that_come_as_doubles_are_counts(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(57.0, 100.0)], "part double, whole double")
    assert frame.select(F.expr(percentage("part", "whole", of_nothing=0))).first() == (57.0,)


def test_a_percentage_is_never_above_100_and_of_nothing_it_is_what_was_asked_for(spark: SparkSession) -> None:
    assert of_counts(spark, [(8, 7), (0, 0), (3, 0)], of_nothing=12) == [100.0, 12.0, 12.0]


def test_a_percentage_of_scores_is_that_of_the_decimals_that_print_them(spark: SparkSession) -> None:
    expected = {
        (0.29, 1.0): 29.0,
        (0.57, 1.0): 57.0,
        (1.33, 3.0): 44.33,
        (2.0, 3.0): 66.66,
        (0.1, 0.3): 33.33,
        (1.15, 1.15): 100.0,
        (4.35, 100.0): 4.35,
        (0.0, 3.0): 0.0,
        (4.0, 3.0): 100.0,
        (0.0, 0.0): 0.0,
        (2.0, 0.0): 0.0,
    }
    assert dict(zip(expected, of_scores(spark, [*expected]), strict=True)) == expected


def test_scores_beyond_exact_decimals_still_have_a_percentage(spark: SparkSession) -> None:
    pairs = [(1e20, 4e20), (5e-324, 1.0), (1e-12, 2e-12), (1e308, 1.7e308), (1e14, 3e14), (1e-10, 3e-10)]
    assert of_scores(spark, pairs) == [25.0, 0.0, 50.0, 58.82, 33.33, 33.33]


def test_where_there_is_no_score_there_is_no_percentage(spark: SparkSession) -> None:
    nothing: Pairs = [(None, None)]  # type: ignore[list-item]  # as in the rows of courses
    assert of_scores(spark, nothing) == [None]
