"""What is computed once and used several times: read again from files, it asks nothing of what made it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.spark.results import Results
from metrics.trees.arrow import map_in_arrow


@pytest.mark.usefixtures("adaptive")
def test_results_that_share_a_column_can_be_joined(spark: SparkSession, tmp_path: Path) -> None:
    """Of what a function makes of distinct rows, Spark believes that it is still distributed by their columns."""
    results = Results(str(tmp_path))
    some = results.keep(map_in_arrow(spark.range(3).distinct(), unchanged, "id long"), "some")
    everything = spark.range(5).selectExpr("id", "id * 2 as twice")
    others = everything.join(some, "id", how="left_anti")
    counted = joined(others, results.keep(everything, "everything").groupBy("id").count())
    assert counted == [(3, 6, 1), (4, 8, 1)]


def test_what_was_observed_is_known_and_the_rows_are_not_computed_again(spark: SparkSession, tmp_path: Path) -> None:
    computed, seen = spark.sparkContext.accumulator(0), Observation()

    def counting(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for batch in batches:
            computed.add(batch.num_rows)
            yield batch

    rows = map_in_arrow(spark.range(4), counting, "id long").observe(seen, F.count(F.lit(1)).alias("rows"))
    kept = Results(str(tmp_path)).keep(rows, "rows")
    assert seen.get == {"rows": 4}
    assert kept.count() == kept.filter("id >= 0").count() == 4
    assert computed.value == 4


def test_two_results_of_one_name_are_two(spark: SparkSession, tmp_path: Path) -> None:
    results = Results(str(tmp_path))
    first, second = (results.keep(spark.range(number), "rows") for number in (1, 2))
    assert (first.count(), second.count()) == (1, 2)


def test_a_result_without_rows_has_its_columns(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.createDataFrame([], "id string, entries map<string,double>")
    kept = Results(str(tmp_path)).keep(rows, "nothing")
    assert (kept.dtypes, kept.count()) == (rows.dtypes, 0)


def unchanged(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    yield from batches


def joined(one: DataFrame, other: DataFrame) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for row in one.join(other, "id", how="left").collect())
