"""Learners who have completed a course, as records for whoever wants to be told: from a change set, kept as files."""

from __future__ import annotations

from datetime import datetime

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.staging import Staging
from activity_aggregates.sources.erased_rows import erased_rows, without_users
from activity_aggregates.spark.failures import writer_error
from activity_aggregates.store.erased import Erased
from activity_aggregates.store.targets import ACTIVITY_USER_AGG
from metrics.names import WAS
from metrics.predicates import is_course

FILES = ("json", "parquet")  # formats of files; any other is a writer of Spark's with a place of its own
RECORD = "user_id string, course_id string, context_id string, completed_on timestamp, as_of timestamp, run_id string"
_UNFINISHED = "_temporary"  # what a run has left that died while it told; the next one tells of all
_REPLACEMENT = "_without-erased-"  # before the id of a run; readers pass over what begins with _


def completions(changed: DataFrame, run_id: str, as_of: datetime) -> DataFrame:
    """`RECORD` of every learner whose Course row goes from not completed to completed, of `staging.changed_rows`.

    `completed_on` is what the enrolment says, null where it says nothing or dates are not computed. A learner, course
    and context that were told before are a repeat: a run that died before its first write is done again.
    """
    is_of_learner = F.col("table") == ACTIVITY_USER_AGG.name
    has_completed = (F.col("completed") == 1) & (F.coalesce(f"{WAS}completed", F.lit(0.0)) != 1)
    completed_on = F.col("completedOn") if "completedOn" in changed.columns else F.lit(None)
    return changed.filter(is_of_learner & is_course() & has_completed).select(
        "user_id", F.col("activity_id").alias("course_id"), "context_id",
        F.timestamp_millis(completed_on.cast("bigint")).alias("completed_on"),
        F.lit(as_of).cast("timestamp").alias("as_of"), F.lit(run_id).alias("run_id"),
    )  # fmt: skip


def path_of_files(events: settings.Events) -> str | None:
    """Where completions are kept as files; None where they are not."""
    return events.path if events.format in FILES else None


def completion_files(spark: SparkSession, events: settings.Events) -> CompletionFiles | None:
    """The files of completions; None where they are not told of in files."""
    path = path_of_files(events)
    return CompletionFiles(spark, path, events.format) if path is not None else None


class CompletionFiles:
    """The files of completions: a directory for each run below `path`, of `format` json or parquet."""

    def __init__(self, spark: SparkSession, path: str, format_: str) -> None:
        self._spark, self._path, self._format = spark, path, format_
        self._files = Staging(spark, path)

    def write(self, records: DataFrame, run_id: str) -> None:
        """The records of a run, in place of what an earlier attempt of it has left."""
        records.write.format(self._format).mode("overwrite").save(f"{self._path}/{run_id}")

    def prune(self, now: datetime, keep_days: int) -> list[str]:
        """Delete those of runs that started more than `keep_days` ago; returns their run ids."""
        return self._files.prune(now, keep_days)

    def remove(self, erased: Erased) -> int:
        """Take erased learners out of the files that are still there; returns of how many runs."""
        self._go_on_with_replacing()
        changed = 0
        for run_id in self._files.run_ids():
            self._files.delete(f"{self._path}/{run_id}/{_UNFINISHED}")
            try:
                changed += self._replaced_without(erased, run_id)
            except (Py4JError, PySparkException) as error:
                place = f"{self._path}/{run_id}"
                then = "delete what is damaged there, for it may name who is erased, and start the erase again"
                raise writer_error(error, f"completions in {place} cannot be read", then) from error
        return changed

    def _replaced_without(self, erased: Erased, run_id: str) -> bool:
        """Whether those of a run named anybody who is erased; then they do not any more."""
        place = f"{self._path}/{run_id}"
        format_ = self._format_of(place)
        records = self._spark.read.schema(RECORD).format(format_).load(place)
        users = erased_rows(records.select("user_id").distinct(), erased).persist()
        if is_named := not users.isEmpty():
            # Beside what it replaces, which is left as it is until all of this is there.
            replacement = f"{self._path}/{_REPLACEMENT}{run_id}"
            without_users(records, users).write.format(format_).mode("overwrite").save(replacement)
            self._files.replace(place, replacement)
        users.unpersist()
        return is_named

    def _format_of(self, place: str) -> str:
        """That of the files of a run, which may be of before the setting was changed."""
        endings = {name.rpartition(".")[2] for name in self._files.names(place)}
        return next((format_ for format_ in FILES if format_ in endings), self._format)

    def _go_on_with_replacing(self) -> None:
        """What an erase that died has left: the only copy there is, or one that may not be whole."""
        names = self._files.names()
        for name in (name for name in names if name.startswith(_REPLACEMENT)):
            run_id = name.removeprefix(_REPLACEMENT)
            if run_id in names:
                self._files.delete(f"{self._path}/{name}")
            else:
                self._files.replace(f"{self._path}/{run_id}", f"{self._path}/{name}")
