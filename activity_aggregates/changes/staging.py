"""The run directory, where change sets are staged: reachable by all executors, private to its owner, pruned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.changes.change_set import staged_schema
from activity_aggregates.changes.parts import PARTS
from metrics.declarations import Selection, all_names

_RUN_ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")
_OWNER_ONLY = "700"


@dataclass(frozen=True)
class RunDirectory:
    """Paths below the directory of one run."""

    path: str

    @property
    def work(self) -> str:
        """Where intermediate results of the computation are."""
        return f"{self.path}/work"

    def changes(self, part: str) -> str:
        """The staged rows of a part: of learners, or all others."""
        return f"{self.path}/changes/{part}"


def stage_rows(rows: DataFrame, directory: RunDirectory, part: str) -> DataFrame:
    """Stage compared rows, and what is observed in them; an earlier attempt at the same part is replaced."""
    path = directory.changes(part)
    rows.write.mode("overwrite").parquet(path)
    return rows.sparkSession.read.schema(rows.schema).parquet(path)


def changed_rows(spark: SparkSession, paths: Sequence[str], selection: Selection) -> DataFrame:
    """The changed rows of staged parts, in the columns of `staged_schema`; nothing looks into files for columns.

    What a file that is damaged had is left out: whoever writes them knows how many there have to be.
    """
    staged = spark.read.schema(staged_schema(all_names(selection))).option("ignoreCorruptFiles", "true")
    return staged.parquet(*paths).filter("is_changed")


class Staging:
    """The directory of all runs, through Hadoop's file systems, so that any URI will do."""

    def __init__(self, spark: SparkSession, directory: str) -> None:
        jvm: Any = spark._jvm
        self._hadoop = jvm.org.apache.hadoop.fs
        path = self._hadoop.Path(directory)
        self._configuration = spark._jsc.hadoopConfiguration()
        self._files = path.getFileSystem(self._configuration)
        self._base = self._files.makeQualified(path)

    def create(self, run_id: str) -> RunDirectory:
        """Make the run's own directory, which only its owner can read."""
        path = self._hadoop.Path(self._base, run_id)
        self._files.mkdirs(self._base)
        permission = self._hadoop.permission.FsPermission(_OWNER_ONLY)
        self._files.mkdirs(path, permission)
        self._files.setPermission(path, permission)  # mkdirs is subject to the umask
        return RunDirectory(path.toString())

    def parts(self, directory: RunDirectory) -> list[str]:
        """The paths of what is staged."""
        return [path for part in PARTS if self.exists(path := directory.changes(part))]

    def exists(self, path: str) -> bool:
        """Whether a path of this or, for a run of an earlier setting, of another file system is there."""
        place = self._hadoop.Path(path)
        try:
            return bool(place.getFileSystem(self._configuration).exists(place))
        except Py4JJavaError:  # one that cannot be reached from here by now
            return False

    def delete(self, path: str) -> None:
        self._files.delete(self._hadoop.Path(path), True)

    def prune(self, now: datetime, keep_days: int) -> list[str]:
        """Delete the directories of runs that started more than `keep_days` ago; returns their run ids."""
        bound = now - timedelta(days=keep_days)
        old = [name for name, started_at in self._runs() if started_at < bound]
        for name in old:
            self._files.delete(self._hadoop.Path(self._base, name), True)
        return old

    def run_ids(self) -> list[str]:
        """The runs that have a directory."""
        return [name for name, _ in self._runs()]

    def replace(self, path: str, replacement: str) -> None:
        """Have a path hold what a replacement beside it holds."""
        self.delete(path)
        self._files.rename(self._hadoop.Path(replacement), self._hadoop.Path(path))

    def names(self, path: str | None = None) -> list[str]:
        """Of everything in the directory, or in one below it."""
        place = self._base if path is None else self._hadoop.Path(path)
        if not self._files.exists(place):
            return []
        return [status.getPath().getName() for status in self._files.listStatus(place)]

    def clear(self) -> list[str]:
        """Delete the directories of all runs; returns their run ids."""
        runs = [name for name, _ in self._runs()]
        for name in runs:
            self._files.delete(self._hadoop.Path(self._base, name), True)
        return runs

    def _runs(self) -> list[tuple[str, datetime]]:
        """The run ids that have a directory, with the start of each."""
        found = filter(None, map(_RUN_ID.fullmatch, self.names()))
        return [(run[0], datetime.strptime(run[1] + "+0000", "%Y%m%dT%H%M%SZ%z")) for run in found]
