"""Tells of learners who have completed a course, before a run writes that they have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.completions import FILES, RECORD, completion_files, completions
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol import order
from activity_aggregates.protocol.asked import Unit
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.run.applying import changes_of
from activity_aggregates.spark.failures import writer_error
from activity_aggregates.store.targets import ACTIVITY_USER_AGG

ANNOUNCED = "announced.completions"  # a count
_KAFKA = "kafka"
_PACKAGE_OF_KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7"


def are_announced(events: settings.Events) -> bool:
    """Whether completions are told of at all."""
    return events.path is not None or events.format not in FILES


def check_writer(spark: SparkSession, events: settings.Events) -> None:
    """Refuse a writer that this Spark has not, and options that Kafka's does not accept, before anything is read.

    To Kafka no record is sent: that makes the producer, and asks no broker. Other writers might leave something behind.
    """
    if not are_announced(events) or events.format in FILES:
        return
    jvm: Any = spark._jvm
    try:
        jvm.org.apache.spark.sql.execution.datasources.DataSource.lookupDataSource(
            events.format, spark._jsparkSession.sessionState().conf()
        )
    except (Py4JJavaError, AnalysisException) as error:
        hint = f", {_PACKAGE_OF_KAFKA}" if events.format == _KAFKA else ""
        raise BadRequest(
            f"events.format is {events.format}, a writer that this Spark has not: correct it, "
            f"or add the package that brings it to spark.packages{hint}"
        ) from error
    if events.format == _KAFKA:
        columns = (F.lit(None).cast(kind).alias(name) for name, kind in map(str.split, RECORD.split(", ")))
        with _blamed(events):
            _sent(spark.range(0, 1, 1, 1).filter("id < 0").select(*columns), events)


def announce(execution: Execution, spark: SparkSession, unit: Unit | None) -> None:
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
    rows = changes_of(execution, spark, unit)
    if rows is None:
        return
    record = execution.record
    records = completions(rows, record.run_id, record.as_of)
    with execution.steps("announce completions") as step:
        step.rows = records.count()
        if step.rows:
            seen = Observation()
            observed = records.observe(seen, F.count(F.lit(1)).alias("records"))
            with _blamed(events):
                if (files := completion_files(spark, events)) is not None:
                    files.write(observed, record.run_id)
                else:
                    _sent(observed, events)
            if seen.get["records"] < step.rows:  # what could be read a moment ago
                raise execution.gone()
        execution.counts[ANNOUNCED] = step.rows


def _sent(records: DataFrame, events: settings.Events) -> None:
    """By any writer of Spark's; a message of Kafka's is the record as JSON under the learner's id."""
    if events.format == _KAFKA:
        value = F.to_json(F.struct(*records.columns))
        records = records.select(F.col("user_id").alias("key"), value.alias("value"))
    writer = records.write.format(events.format).options(**events.options).mode("append")
    writer.save(events.path) if events.path else writer.save()


@contextmanager
def _blamed(events: settings.Events) -> Iterator[None]:
    """What fails in the block is told of as a matter of `events`, not of the store or of the run's own files."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        named = ["events.path"] * (events.path is not None) + ["events.options"] * (events.format not in FILES)
        raise writer_error(
            error,
            f"events: completions could not be written to {events.path or events.format}",
            f"nothing that they tell of was written; check {' and '.join(named)} and run the command again",
        ) from error
