"""Intermediate results that are computed once and used several times."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame


def kept(rows: DataFrame) -> DataFrame:
    """`rows`, computed when they are first needed and kept until the cache is cleared."""
    return as_table(rows.persist())


def as_table(persisted: DataFrame) -> DataFrame:
    """A persisted DataFrame without the plan that computes it.

    That plan is dragged along otherwise, and every further step analyses all of it anew, which for small sources is
    most of a run. What is observed in it is seen only by actions on `persisted` itself: have one before.
    """
    session: Any = persisted.sparkSession
    cached = persisted._jdf.queryExecution().withCachedData()
    return DataFrame(session._jvm.org.apache.spark.sql.Dataset.ofRows(session._jsparkSession, cached), session)
