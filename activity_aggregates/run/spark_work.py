"""The work of a run with Spark: what the order of events calls for, done by the modules of this room."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from activity_aggregates import settings
from activity_aggregates.changes.completions import completion_files, path_of_files
from activity_aggregates.changes.staging import RunDirectory, Staging
from activity_aggregates.protocol.asked import Asked, Unit
from activity_aggregates.protocol.definitions import definitions
from activity_aggregates.protocol.execution import Execution, Work, now_in_ms
from activity_aggregates.run.announcing import announce, check_writer
from activity_aggregates.run.applying import apply_staged_rows, rows_of, units_of
from activity_aggregates.run.dry_run import show_changes
from activity_aggregates.run.stage import stage
from activity_aggregates.sources.tables import SOURCE_TABLES, Sources
from activity_aggregates.spark.run_directory import check_directory
from activity_aggregates.spark.session import open_spark, stop_spark, translated_spark
from activity_aggregates.store.connection import Connection, spark_options
from activity_aggregates.store.erased import NOBODY
from activity_aggregates.store.records import ERASE, INCREMENTAL


def active_spark(work: Work) -> SparkSession:
    """The session of a run, for what a command does with its rows beside the order of events."""
    if not isinstance(work, SparkWork):
        raise TypeError(f"{type(work).__name__} has no Spark session")
    return work.spark


@dataclass
class SparkWork:
    """One session for all the runs of a process; it starts with the first that needs it."""

    settings: settings.Settings
    connection: Connection
    _spark: SparkSession | None = field(default=None, repr=False)

    @property
    def spark(self) -> SparkSession:
        if self._spark is None:
            raise RuntimeError("the work has not been started")
        return self._spark

    @property
    def staging(self) -> Staging:
        return Staging(self.spark, self.settings.staging.dir)

    def guarded(self) -> AbstractContextManager[None]:
        return translated_spark()

    def start(self, execution: Execution) -> None:
        chosen = execution.settings
        if self._spark is None:
            check_directory("staging.dir", chosen.staging.dir, chosen.staging.shared, chosen.spark)
            if (path := path_of_files(chosen.events)) is not None:
                check_directory("events.path", path, chosen.staging.shared, chosen.spark)
            with execution.steps("start Spark"):
                name = f"activity-aggregates {execution.record.run_id}"
                self._spark = open_spark(chosen.spark, name, extended=execution.record.command == INCREMENTAL)
            if execution.record.command != ERASE:  # which seldom has anybody to tell of, and is not to wait for that
                check_writer(self._spark, chosen.events)
            now = now_in_ms(execution.clock)  # a start is later than all before it, of whatever clock those were
            self.staging.prune(now, chosen.staging.keep_days)
            if (told := completion_files(self._spark, chosen.events)) is not None:
                told.prune(now, chosen.events.keep_days)
        execution.steps.spark = self._spark

    def stop(self) -> None:
        if self._spark is not None:
            stop_spark(self._spark)

    def definitions(self, execution: Execution) -> str:
        sources = Sources(self.spark, self.settings.sources, spark_options(self.connection), NOBODY)
        opened = (table for table in SOURCE_TABLES if table.optional and sources.has(table))
        absent = sources.absent_columns
        found = {table.name: set(table.optional) - set(absent.get(table.name, ())) for table in opened}
        return definitions(execution.settings, found)

    def create_directory(self, execution: Execution) -> str:
        return self.staging.create(execution.record.run_id).path

    def stage(self, execution: Execution, asked: Asked) -> None:
        stage(execution, self.spark, asked)

    def units(self, execution: Execution) -> dict[Unit, dict[str, int]]:
        return units_of(execution, self.spark)

    def rows_of(self, execution: Execution, unit: Unit | None) -> int:
        return rows_of(execution, self.spark, unit)

    def announce(self, execution: Execution, unit: Unit | None) -> None:
        announce(execution, self.spark, unit)

    def apply(self, execution: Execution, unit: Unit | None) -> None:
        apply_staged_rows(execution, self.spark, unit)

    def show(self, execution: Execution, out: Path | None = None) -> None:
        show_changes(execution, self.spark, out)

    def tidy(self, execution: Execution) -> None:
        self.staging.delete(RunDirectory(execution.record.staging_dir).work)
