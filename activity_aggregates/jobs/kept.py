"""Intermediate results that are computed once and used several times.

A DataFrame that is only persisted drags the plan that computes it along, and every further step analyses and prints all
of it anew: for small sources that is most of a run. Both functions return a table without a past.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame


def kept(rows: DataFrame) -> DataFrame:
    """Small rows, computed when they are first needed and kept; joins know their size and broadcast them.

    What is observed in them is not seen.
    """
    session: Any = rows.sparkSession
    cached = rows.persist()._jdf.queryExecution().withCachedData()
    return DataFrame(session._jvm.org.apache.spark.sql.Dataset.ofRows(session._jsparkSession, cached), session)


def materialised(rows: DataFrame) -> DataFrame:
    """Rows of any number, computed at once and kept on the executors with their partitioning; observations are made."""
    return rows.localCheckpoint()
