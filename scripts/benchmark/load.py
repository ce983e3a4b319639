"""Writes the data set to Cassandra or to Parquet files."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame

from activity_aggregates.settings import Settings
from activity_aggregates.spark.session import open_spark
from activity_aggregates.store.connection import Connection, connection, open_session, spark_options
from scripts.benchmark.dataset import changes, tables
from scripts.sample.schema import KEYSPACES, create_source_tables


def to_cassandra(settings: Settings, enrolments: int, keyspace: str) -> None:
    reached = connection(settings.cassandra, os.environ)
    with open_session(reached) as session:
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
        create_source_tables(session, dict.fromkeys(KEYSPACES, keyspace))
    spark = open_spark(settings.spark, "bench load")
    _append(tables(spark, enrolments), keyspace, reached)


def change(settings: Settings, enrolments: int, keyspace: str, one_in: int) -> None:
    """Let one enrolment in `one_in` go on."""
    spark = open_spark(settings.spark, "bench change")
    _append(changes(spark, enrolments, one_in), keyspace, connection(settings.cassandra, os.environ))


def _append(rows_by_table: Mapping[str, DataFrame], keyspace: str, reached: Connection) -> None:
    # A null would be written as a tombstone.
    options = {**spark_options(reached), "spark.cassandra.output.ignoreNulls": "true"}
    for table, rows in rows_by_table.items():
        started = time.monotonic()
        writer = rows.write.format("org.apache.spark.sql.cassandra").options(keyspace=keyspace, table=table, **options)
        writer.mode("append").save()
        print(f"{keyspace}.{table}: {time.monotonic() - started:.1f} s", flush=True)


def to_parquet(settings: Settings, enrolments: int, folder: Path) -> None:
    spark = open_spark(settings.spark, "bench load")
    for table, rows in tables(spark, enrolments).items():
        rows.write.mode("overwrite").parquet(str(folder.absolute() / table))
        print(f"{folder / table} written", flush=True)
