"""The session of Spark that tests share."""

from __future__ import annotations

import os
from pathlib import Path

from pyspark.sql import SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.spark.session import EXTENSION, PLANNING, REQUIRED

# A session of hundreds of small queries: what is generated for them is kept, marking garbage beside them costs a core,
# and so does compiling at its best what is not called all the time.
OF_HUNDREDS_OF_RUNS = (
    "-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m -XX:Tier4InvocationThreshold=20000 "
    "-XX:Tier4MinInvocationThreshold=3000 -XX:Tier4CompileThreshold=40000 -XX:Tier4BackEdgeThreshold=120000"
)

OF_SMALL_QUERIES: dict[str, bool | float | int | str | None] = {
    "spark.driver.extraJavaOptions": OF_HUNDREDS_OF_RUNS,
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "1",  # a small table is read by three tasks, not by five
    "spark.sql.adaptive.enabled": "false",  # as in the environments of runs
    "spark.sql.codegen.cache.maxEntries": "3000",  # one run generates more classes than are kept by default
    # What Spark remembers of queries for its pages would fill the heap in the course of hundreds of runs.
    "spark.sql.ui.retainedExecutions": "5",
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.locality.wait": "0s",  # as in a run of its own; tasks that wait for a better place may wait for ever
}


def small_session(warehouse: Path, **further: bool | float | int | str | None) -> SparkSession:
    """A session on two cores, or the one that there is; `further` settings are those of who needs others."""
    settings = (
        OF_SMALL_QUERIES
        | REQUIRED
        | PLANNING
        | {
            "spark.jars": ",".join(load(None, os.environ, {}).settings.spark.jars),
            "spark.sql.extensions": EXTENSION,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "2g",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.execution.arrow.maxRecordsPerBatch": "128",
            "spark.sql.warehouse.dir": str(warehouse),
        }
    )
    builder = SparkSession.builder.master("local[2]").appName("tests")
    session = builder.config(map=settings | further).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
