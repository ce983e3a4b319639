"""The rows of erased learners: found in the tables by a scan, as no key begins with the learner, and deleted."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.request.instants import epoch_milliseconds, store_clock
from activity_aggregates.run.applying import place_of, send_rows
from activity_aggregates.run.execution import Execution, now_in_ms
from activity_aggregates.run.spark_work import active_spark
from activity_aggregates.sources.erased_rows import erased_rows
from activity_aggregates.spark.kept import materialised
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.quarantine import QUARANTINE, QUARANTINE_KEY, quarantined_users
from activity_aggregates.store.stored_rows import Stored
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG
from activity_aggregates.writing.apply import DeletePlan

# The tables with rows of learners, and their keys.
_KEYS = {
    ACTIVITY_USER_AGG.name: ACTIVITY_USER_AGG.key,
    GROUP_ACTIVITY_USER_AGG.name: GROUP_ACTIVITY_USER_AGG.key,
    QUARANTINE: QUARANTINE_KEY,
}
_OF_AGGREGATES = (ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG)


class SparkRows:
    """The rows of learners, by Spark."""

    def count(self, execution: Execution) -> Mapping[str, int]:
        return {name: execution.counts[f"erased.{name}"] for name in _find_rows(execution, None)}

    def delete(self, execution: Execution) -> int:
        counts = execution.counts
        directory = RunDirectory(execution.record.staging_dir)
        for name, rows in _find_rows(execution, directory).items():
            if counts[f"erased.{name}"]:
                place = place_of(execution, name) | {"write_time": _later_than_all(execution)}
                plan = DeletePlan(**place, key=_KEYS[name])
                send_rows(execution, rows, counts[f"erased.{name}"], f"erase {name}", plan)
        return sum(counts[f"erased.{table.name}"] for table in _OF_AGGREGATES)

    def clear_staged(self, execution: Execution) -> int:
        return len(Staging(active_spark(execution.work), execution.settings.staging.dir).clear())


def _find_rows(execution: Execution, directory: RunDirectory | None) -> dict[str, DataFrame]:
    """The keys of the rows of everybody who was erased, by table, counted.

    Rows that the run has just emptied are among them: what it retracted is erased, too.
    """
    target, counts, spark = execution.settings.target, execution.counts, active_spark(execution.work)
    execution.steps.say(f"{', '.join(_KEYS)} are read in full: no key begins with the learner")
    stored = Stored(spark, target, spark_options(execution.connection))
    rows = {table.name: stored.rows(table).select(*table.key) for table in _OF_AGGREGATES}
    for table in _OF_AGGREGATES:
        if directory is not None and counts.get(f"changed.{table.name}"):
            emptied = changed_rows(spark, directory, table).select(*table.key)
            rows[table.name] = rows[table.name].union(emptied)
    rows[QUARANTINE] = quarantined_users(spark, target, spark_options(execution.connection))
    found = {}
    for name, all_rows in rows.items():
        with execution.steps(f"find erased rows of {name}") as step:
            seen = Observation()
            observed = all_rows.observe(seen, F.count(F.lit(1)).alias("read"))
            of_erased = erased_rows(observed, execution.erased).select(*_KEYS[name]).distinct()
            found[name] = materialised(of_erased)
            counts[f"erased.{name}"] = found[name].count()
            step.rows = seen.get["read"]
    return found


def _later_than_all(execution: Execution) -> int:
    """A write time in µs, later than those of all entries by now, whoever wrote them: they are to go as well."""
    now = max(now_in_ms(execution.clock), store_clock(execution.session))
    return max((epoch_milliseconds(now) + 1) * 1000, execution.record.write_time)
