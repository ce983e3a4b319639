"""Rows by a list of ids, which are of contexts, courses or groups, never of learners.

A few are named in a condition, which a source may answer by its key. Many are joined, for a plan grows with each name.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

FEW = 2000


def among(rows: DataFrame, column: str, ids: Iterable[str]) -> DataFrame:
    """The rows whose column is one of these ids."""
    listed = sorted(ids)
    if len(listed) <= FEW:
        return rows.filter(F.col(column).isin(listed))
    return rows.join(_as_rows(rows.sparkSession, column, listed), column, how="left_semi")


def without(rows: DataFrame, column: str, ids: Iterable[str]) -> DataFrame:
    """The rows whose column is none of these ids, also those without any."""
    listed = sorted(ids)
    if len(listed) <= FEW:
        return rows.filter(~F.coalesce(F.col(column).isin(listed), F.lit(False)))
    return rows.join(_as_rows(rows.sparkSession, column, listed), column, how="left_anti")


def flagged(rows: DataFrame, column: str, ids: Iterable[str], flag: str) -> DataFrame:
    """The rows, and whether their column is one of these ids; without any it is not."""
    listed = sorted(ids)
    if len(listed) <= FEW:
        return rows.withColumn(flag, F.coalesce(F.col(column).isin(listed), F.lit(False)))
    known = _as_rows(rows.sparkSession, column, listed).withColumn(flag, F.lit(True))
    return rows.join(known, column, how="left").withColumn(flag, F.coalesce(flag, F.lit(False)))


def ids_in(rows: DataFrame, column: str) -> frozenset[str]:
    """The values of a column, brought to the driver; null is none of them."""
    return frozenset(row[0] for row in rows.select(column).distinct().collect() if row[0] is not None)


def _as_rows(spark: SparkSession, column: str, ids: Iterable[str]) -> DataFrame:
    """Such ids as rows of one column, sent to every executor."""
    return F.broadcast(spark.createDataFrame([(each,) for each in sorted(ids)], f"{column} string"))
