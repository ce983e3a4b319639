"""Tells of learners who have completed a course, before a run writes that they have."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.completions import FILES, CompletionFiles, completions
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.protocol import order
from activity_aggregates.protocol.asked import Unit
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.run.applying import changes_of
from activity_aggregates.store.targets import ACTIVITY_USER_AGG

ANNOUNCED = "announced.completions"  # a count
_KAFKA = "kafka"


def are_announced(events: settings.Events) -> bool:
    """Whether completions are told of at all."""
    return events.path is not None or events.format not in FILES


def announce(execution: Execution, spark: SparkSession, directory: RunDirectory, unit: Unit | None) -> None:
    """Write a record of every completion among what is staged, or in one unit of it: at least once.

    It is done before the run says that it writes, so that a run that dies earlier is done again, this with it, and one
    that dies later has told of all.
    """
    events = execution.settings.events
    if not are_announced(events) or not execution.counts.get(f"changed.{ACTIVITY_USER_AGG.name}"):
        return
    if not events.initial and order.last_full(execution.others()) is None:
        execution.steps.say("no completions are announced before a first full run has succeeded: see events.initial")
        return
    rows = changes_of(execution, spark, directory, unit)
    if rows is None:
        return
    record = execution.record
    records = completions(rows, record.run_id, record.as_of)
    with execution.steps("announce completions") as step:
        execution.counts[ANNOUNCED] = step.rows = records.count()
        if not step.rows:
            return
        if events.format in FILES:
            CompletionFiles(spark, str(events.path), events.format).write(records, record.run_id)
        else:
            _sent(records, events)


def _sent(records: DataFrame, events: settings.Events) -> None:
    """By any writer of Spark's; a message of Kafka's is the record as JSON under the learner's id."""
    if events.format == _KAFKA:
        value = F.to_json(F.struct(*records.columns))
        records = records.select(F.col("user_id").alias("key"), value.alias("value"))
    writer = records.write.format(events.format).options(**events.options).mode("append")
    writer.save(events.path) if events.path else writer.save()
