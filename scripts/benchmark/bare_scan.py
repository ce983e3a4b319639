"""Scans by Spark's connector alone, of the columns that a run reads and of what is stored: a yardstick."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pyspark.sql import SparkSession

from activity_aggregates.configuration import Configuration
from activity_aggregates.spark.session import open_spark
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.connector import CASSANDRA_FORMAT

# Of the sources what a run reads with all families; of the targets with the dates of entries and without.
SOURCES = {
    "user_enrolments": (
        "userid", "courseid", "batchid", "active", "status", "completedon", "enrolled_date", "lastcontentaccesstime",
    ),
    "user_content_consumption": ("userid", "courseid", "batchid", "contentid", "status", "last_access_time"),
}  # fmt: skip
KEY = ("activity_type", "activity_id", "user_id", "context_id")
TARGETS = {"with dates": (*KEY, "agg", "agg_last_updated"), "without dates": (*KEY, "agg")}


def scan(configuration: Configuration, keyspace: str, targets: str) -> int:
    """Seconds of each scan, into nothing; the first one of a table is not told, for it warms the store."""
    settings = configuration.settings
    spark = open_spark(settings.spark, "bench scan")
    options = spark_options(connection(settings.cassandra, os.environ))
    for table, columns in SOURCES.items():
        _told(spark, options, (keyspace, table), columns, table)
    for which, columns in TARGETS.items():
        _told(spark, options, (targets, "activity_user_agg"), columns, f"activity_user_agg, {which}")
    return 0


def _told(
    spark: SparkSession, options: dict[str, str], place: tuple[str, str], columns: Sequence[str], what: str
) -> None:
    rows = spark.read.format(CASSANDRA_FORMAT).options(**options, keyspace=place[0], table=place[1]).load()
    took = []
    for _ in range(2):
        started = time.monotonic()
        rows.select(*columns).write.format("noop").mode("overwrite").save()
        took.append(time.monotonic() - started)
    print(f"{what:40} {took[-1]:9.1f} s", flush=True)
