"""The rows of erased learners: found in the tables by a scan, as no key begins with the learner, and deleted."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.changes.completions import completion_files
from activity_aggregates.changes.staging import RunDirectory, Staging
from activity_aggregates.compute.choosing import find_erased
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution, now_in_ms
from activity_aggregates.request.instants import epoch_milliseconds, store_clock
from activity_aggregates.run.applying import changes_of, plan_of, send_rows
from activity_aggregates.run.spark_work import active_spark
from activity_aggregates.run.stage import open_inputs
from activity_aggregates.sources.erased_rows import erased_rows
from activity_aggregates.spark.results import Results
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.quarantine import QUARANTINE, QUARANTINE_KEY, quarantined_users
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG
from activity_aggregates.writing.encoding import Times

# The tables with rows of learners, and their keys.
_KEYS = {
    ACTIVITY_USER_AGG.name: ACTIVITY_USER_AGG.key,
    GROUP_ACTIVITY_USER_AGG.name: GROUP_ACTIVITY_USER_AGG.key,
    QUARANTINE: QUARANTINE_KEY,
}
_OF_AGGREGATES = (ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG)


class SparkRows:
    """The rows of learners, by Spark."""

    def count(self, execution: Execution, asked: Asked) -> Mapping[str, int]:
        find_erased(open_inputs(execution, active_spark(execution.work), asked))
        return {name: execution.counts[f"erased.{name}"] for name in _find_rows(execution)}

    def delete(self, execution: Execution) -> int:
        counts = execution.counts
        for name, rows in _find_rows(execution).items():
            if counts[f"erased.{name}"]:
                plan = plan_of(execution, Times(_later_than_all(execution), 0), {name: _KEYS[name]})
                send_rows(execution, rows, counts[f"erased.{name}"], f"erase {name}", plan)
        return sum(counts[f"erased.{table.name}"] for table in _OF_AGGREGATES)

    def clear_announced(self, execution: Execution) -> None:
        told = completion_files(active_spark(execution.work), execution.settings.events)
        if told is not None:
            with execution.steps("erase completions") as step:
                execution.counts["erased.completions"] = step.rows = told.remove(execution.erased)

    def clear_staged(self, execution: Execution) -> int:
        return len(Staging(active_spark(execution.work), execution.settings.staging.dir).clear())


def _find_rows(execution: Execution) -> dict[str, DataFrame]:
    """The keys of the rows of everybody who was erased, by table, counted.

    Rows that the run has just emptied are among them: what it retracted is erased, too.
    """
    target, counts, spark = execution.settings.target, execution.counts, active_spark(execution.work)
    execution.steps.say(f"{', '.join(_KEYS)} are read in full: no key begins with the learner")
    options = spark_options(execution.connection)
    stored = StoredRows(spark, execution.session, target, options, 0, has_scores=True)
    rows = {table.name: stored.plain_keys(table) for table in _OF_AGGREGATES}
    if (emptied := changes_of(execution, spark)) is not None:
        for table in _OF_AGGREGATES:
            of_table = emptied.filter(emptied["table"] == table.name).select(*table.key)
            rows[table.name] = rows[table.name].union(of_table)
    rows[QUARANTINE] = quarantined_users(spark, target, options)
    results = Results(RunDirectory(execution.record.staging_dir).work)
    found = {}
    for name, all_rows in rows.items():
        with execution.steps(f"find erased rows of {name}") as step:
            seen = Observation()
            observed = all_rows.observe(seen, F.count(F.lit(1)).alias("read"))
            of_erased = (
                erased_rows(observed, execution.erased).select(F.lit(name).alias("table"), *_KEYS[name]).distinct()
            )
            found[name] = results.keep(of_erased, "erased_rows")
            counts[f"erased.{name}"] = found[name].count()
            step.rows = seen.get["read"]
    return found


def _later_than_all(execution: Execution) -> int:
    """A write time in µs, later than those of all entries by now, whoever wrote them: they are to go as well."""
    now = max(now_in_ms(execution.clock), store_clock(execution.session))
    return max((epoch_milliseconds(now) + 1) * 1000, execution.record.write_time)
