"""Writes the stored rows of learners once more by the driver alone, in as many processes as cores: a yardstick."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from cassandra.cluster import ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType

from activity_aggregates.configuration import Configuration
from activity_aggregates.settings import Settings
from activity_aggregates.spark.session import open_spark
from activity_aggregates.store.connection import connection, open_session, spark_options
from activity_aggregates.store.connector import CASSANDRA_FORMAT
from activity_aggregates.store.targets import ACTIVITY_USER_AGG
from scripts.benchmark.measure import migrate_anew

TABLE, KEY = ACTIVITY_USER_AGG.name, ACTIVITY_USER_AGG.key
PER_BATCH = 32  # statements, and
UNDER_WAY = 16  # batches of a process, as the settings of `writes` have them


def write(configuration: Configuration, flags: Mapping[str, object], source: str, target: str) -> int:
    """Copy the rows from one keyspace to the empty tables of another, and tell seconds and rows/s of the writing."""
    settings = configuration.settings
    if code := migrate_anew(connection(settings.cassandra, os.environ), flags, target):
        return code
    with tempfile.TemporaryDirectory() as folder:
        _rows_to_files(settings, source, Path(folder))
        files = sorted(Path(folder).rglob("*.parquet"))
        processes = os.cpu_count() or 1
        shares = [files[n::processes] for n in range(processes)]
        started = time.monotonic()
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            rows = sum(pool.map(_write_files, repeat(settings), repeat(target), shares))
        seconds = time.monotonic() - started
    print(f"{f'bare driver, {processes} processes':32} {seconds:9.1f} {rows:12,} {rows / seconds:10,.0f}")
    return 0


def _rows_to_files(settings: Settings, keyspace: str, folder: Path) -> None:
    spark = open_spark(settings.spark, "bench write")
    options = spark_options(connection(settings.cassandra, os.environ))
    rows = spark.read.format(CASSANDRA_FORMAT).options(**options, keyspace=keyspace, table=TABLE).load()
    rows.select(*KEY, "agg", "agg_last_updated").write.mode("overwrite").parquet(str(folder))
    spark.stop()


def _write_files(settings: Settings, keyspace: str, files: list[Path]) -> int:
    with open_session(connection(settings.cassandra, os.environ)) as session:
        return sum(_write_file(session, keyspace, file) for file in files)


def _write_file(session: Session, keyspace: str, file: Path) -> int:
    update = session.prepare(
        f"UPDATE {keyspace}.{TABLE} USING TIMESTAMP ? SET agg = agg + ?, agg_last_updated = agg_last_updated + ? "
        f"WHERE {' AND '.join(f'{column} = ?' for column in KEY)}"
    )
    under_way: list[ResponseFuture] = []
    written = 0
    for rows in _batches(file):
        batch = BatchStatement(BatchType.UNLOGGED)
        for row in rows:
            batch.add(update, (1, dict(row["agg"]), dict(row["agg_last_updated"]), *(row[name] for name in KEY)))
        if len(under_way) == UNDER_WAY:
            under_way.pop(0).result()
        under_way.append(session.execute_async(batch))
        written += len(rows)
    for answer in under_way:
        answer.result()
    return written


def _batches(file: Path) -> Iterator[list[dict[str, Any]]]:
    for batch in pq.ParquetFile(file).iter_batches(PER_BATCH):
        yield batch.to_pylist()
