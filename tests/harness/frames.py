"""Frames of literal rows, and what is compared of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType


def frame(spark: SparkSession, schema: str, *rows: Sequence[Any]) -> DataFrame:
    """A frame of these rows; without any it is an empty one."""
    return spark.createDataFrame([tuple(row) for row in rows], schema)


def assert_rows(found: DataFrame, schema: str, *rows: Sequence[Any]) -> None:
    """The columns of `schema` of a frame are exactly these rows, in any order; maps are compared entry by entry.

    What is found is collected once, so that the two frames that are held against each other have no plan behind them.
    """
    wanted = frame(found.sparkSession, schema, *rows)
    selected = found.select(*wanted.columns)
    collected = [tuple(row) for row in selected.collect()]
    if in_order(collected) == in_order(rows) and selected.dtypes == wanted.dtypes:
        return
    assert_df_equality(
        found.sparkSession.createDataFrame(collected, selected.schema), wanted,
        ignore_nullable=True, ignore_row_order=True, ignore_metadata=True, transforms=[sorted_maps],
    )  # fmt: skip


def in_order(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows in an order of their own, maps as their entries in order."""
    plain = [tuple(sorted(value.items()) if isinstance(value, dict) else value for value in row) for row in rows]
    return sorted(plain, key=repr)


def sorted_maps(rows: DataFrame) -> DataFrame:
    """Maps as arrays of their entries in order: Spark compares and sorts those, and no maps."""
    maps = [field.name for field in rows.schema.fields if isinstance(field.dataType, MapType)]
    return rows.withColumns({name: F.array_sort(F.map_entries(name)) for name in maps})
