"""The run directory, where change sets are staged: reachable by all executors, private to its owner, pruned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.store.targets import ACTIVITY_CATALOG, ACTIVITY_METADATA, TargetTable

_RUN_ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")
_OWNER_ONLY = "700"


@dataclass(frozen=True)
class RunDirectory:
    """Paths below the directory of one run."""

    path: str

    def work(self, name: str) -> str:
        """An intermediate result of the computation."""
        return f"{self.path}/work/{name}"

    def changes(self, table: str) -> str:
        """The change set of one table."""
        return f"{self.path}/changes/{table}"


def staged_rows(spark: SparkSession, directory: RunDirectory, table: TargetTable) -> DataFrame:
    """What is staged of a table, without a look into the files for what columns there are.

    (key…, to_set map, to_remove array, was map, kind, agg_after map, is_changed) of a table of maps, whose values are
    texts in activity_metadata and doubles elsewhere; (key…, course_id, held_course_id) of activity_catalog.
    """
    key = ", ".join(f"{column} string" for column in table.key)
    path = directory.changes(table.name)
    if table == ACTIVITY_CATALOG:
        return spark.read.schema(f"{key}, course_id string, held_course_id string").parquet(path)
    entries = f"map<string, {'string' if table == ACTIVITY_METADATA else 'double'}>"
    columns = f"to_set {entries}, to_remove array<string>, was {entries}, kind string, agg_after {entries}"
    return spark.read.schema(f"{key}, {columns}, is_changed boolean").parquet(path)


def changed_rows(spark: SparkSession, directory: RunDirectory, table: TargetTable) -> DataFrame:
    """The rows of `staged_rows` that the run changes; of the catalog nothing else is staged."""
    staged = staged_rows(spark, directory, table)
    return staged if table == ACTIVITY_CATALOG else staged.filter("is_changed").drop("is_changed")


class Staging:
    """The directory of all runs, through Hadoop's file systems, so that any URI will do."""

    def __init__(self, spark: SparkSession, directory: str) -> None:
        jvm: Any = spark._jvm
        self._hadoop = jvm.org.apache.hadoop.fs
        path = self._hadoop.Path(directory)
        self._files = path.getFileSystem(spark._jsc.hadoopConfiguration())
        self._base = self._files.makeQualified(path)

    def create(self, run_id: str) -> RunDirectory:
        """Make the run's own directory, which only its owner can read."""
        path = self._hadoop.Path(self._base, run_id)
        self._files.mkdirs(self._base)
        permission = self._hadoop.permission.FsPermission(_OWNER_ONLY)
        self._files.mkdirs(path, permission)
        self._files.setPermission(path, permission)  # mkdirs is subject to the umask
        return RunDirectory(path.toString())

    def exists(self, path: str) -> bool:
        return bool(self._files.exists(self._hadoop.Path(path)))

    def delete(self, path: str) -> None:
        self._files.delete(self._hadoop.Path(path), True)

    def prune(self, now: datetime, keep_days: int) -> list[str]:
        """Delete the directories of runs that started more than `keep_days` ago; returns their run ids."""
        bound = now - timedelta(days=keep_days)
        old = [name for name, started_at in self._runs() if started_at < bound]
        for name in old:
            self._files.delete(self._hadoop.Path(self._base, name), True)
        return old

    def clear(self) -> list[str]:
        """Delete the directories of all runs; returns their run ids."""
        runs = [name for name, _ in self._runs()]
        for name in runs:
            self._files.delete(self._hadoop.Path(self._base, name), True)
        return runs

    def _runs(self) -> list[tuple[str, datetime]]:
        """The run ids that have a directory, with the start of each."""
        if not self._files.exists(self._base):
            return []
        names = [status.getPath().getName() for status in self._files.listStatus(self._base)]
        found = filter(None, map(_RUN_ID.fullmatch, names))
        return [(run[0], datetime.strptime(run[1] + "+0000", "%Y%m%dT%H%M%SZ%z")) for run in found]
