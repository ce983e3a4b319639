"""Intermediate results that are computed once and used several times.

A DataFrame that is only persisted drags the plan that computes it along, and every further step analyses and prints all
of it anew: for small sources that is most of a run. The functions return tables without a past, though `kept` ones
that are made from each other still print each other: a chain of them is for `listed` and `materialised`.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


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


def listed(rows: DataFrame) -> DataFrame:
    """Ids of contexts, courses or groups, never of learners: computed at once, and small enough to send everywhere."""
    return F.broadcast(rows.localCheckpoint())
