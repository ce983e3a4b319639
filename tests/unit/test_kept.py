"""What is computed once and used several times."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.spark.kept import materialised


@pytest.mark.usefixtures("adaptive")
def test_results_that_share_a_column_can_be_joined(spark: SparkSession) -> None:
    """Of what a function makes of distinct rows, Spark believes that it is still distributed by their columns."""
    some = materialised(spark.range(3).distinct().mapInArrow(unchanged, "id long"))
    everything = spark.range(5).selectExpr("id", "id * 2 as twice")
    others = everything.join(some, "id", how="left_anti")
    counted = joined(others, materialised(everything).groupBy("id").count())
    assert counted == [(3, 6, 1), (4, 8, 1)]


def unchanged(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    yield from batches


def joined(one: DataFrame, other: DataFrame) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for row in one.join(other, "id", how="left").collect())
