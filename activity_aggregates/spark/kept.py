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
    return _of_plan(rows, rows.persist()._jdf.queryExecution().withCachedData())


def materialised(rows: DataFrame) -> DataFrame:
    """Rows of any number, computed at once and kept on the executors; observations are made.

    A checkpoint takes over how its rows are distributed and sorted, in terms of columns that it may not have: without
    adaptive execution Spark then fails to join two of them that have a column in common. So that is forgotten.
    """
    checkpointed = rows.localCheckpoint()
    session: Any = rows.sparkSession
    jvm, known = session._jvm, checkpointed._jdf.queryExecution().logical()
    nowhere = jvm.org.apache.spark.sql.catalyst.plans.physical.UnknownPartitioning(known.rdd().getNumPartitions())
    size, constraints = jvm.scala.Option.apply(known.computeStats()), jvm.scala.Option.apply(known.constraints())
    plan = jvm.org.apache.spark.sql.execution.LogicalRDD(
        known.output(),
        known.rdd(),
        nowhere,
        jvm.PythonUtils.toSeq([]),
        False,
        session._jsparkSession,
        size,
        constraints,
    )
    return _of_plan(rows, plan)


def listed(rows: DataFrame) -> DataFrame:
    """Ids of contexts, courses or groups, never of learners: computed at once, and small enough to send everywhere."""
    return F.broadcast(materialised(rows))


def _of_plan(rows: DataFrame, plan: Any) -> DataFrame:
    session: Any = rows.sparkSession
    return DataFrame(session._jvm.org.apache.spark.sql.Dataset.ofRows(session._jsparkSession, plan), session)
