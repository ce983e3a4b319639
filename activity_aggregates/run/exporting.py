"""A target table as files for other tools: read by a scan, a column for each metric, written by Spark's executors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.staging import Staging
from activity_aggregates.compute.description import description
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.request.scope import Activity
from activity_aggregates.selection import selected
from activity_aggregates.sources.erased_rows import without_erased
from activity_aggregates.spark.run_directory import check_directory
from activity_aggregates.spark.session import interruptible_spark
from activity_aggregates.store.connection import Connection, connection, open_session, spark_options
from activity_aggregates.store.erased import NOBODY, Erased, erased_table
from activity_aggregates.store.flat_rows import INSTANT, among, metric_rows, text_rows, with_maps_as_json
from activity_aggregates.store.migrations import check_applied
from activity_aggregates.store.stored_rows import as_stored
from activity_aggregates.store.targets import TargetTable
from metrics.declarations import names

PARQUET, CSV = "parquet", "csv"
FORMATS = (PARQUET, CSV)
# A quote in a text is written twice, as all readers but Spark's own expect, and texts keep the spaces around them.
_CSV_OPTIONS = {
    "header": "true",
    "escape": '"',
    "ignoreLeadingWhiteSpace": "false",
    "ignoreTrailingWhiteSpace": "false",
    "timestampFormat": INSTANT,
}


@dataclass(frozen=True)
class Export:
    """What is asked of `export`: `out` is a path or a URI; an empty set restricts nothing.

    `has_dates` asks for a column with the date of each metric as well.
    """

    table: TargetTable
    out: str
    format: str = PARQUET
    contexts: frozenset[str] = frozenset()
    activities: frozenset[Activity] = frozenset()
    has_dates: bool = False


def export(configuration: Configuration, environ: Mapping[str, str], asked: Export) -> int:
    """Write the table's rows into a directory that is new or empty, and say how many there were.

    It holds no lease, leaves no record and changes nothing in the store. Who was erased is left out, also while the
    erase is still under way.
    """
    chosen = configuration.settings
    _check(asked, chosen)
    link = connection(chosen.cassandra, environ)
    with open_session(link) as session:
        check_applied(session, chosen)
        hashes = erased_table(chosen.target, chosen.erased, environ)
        erased = hashes.read(session) if asked.table.is_of_learners else NOBODY
    check_directory("--out", asked.out, chosen.staging.shared, chosen.spark)
    steps = Steps(chosen.log.format)
    with ExitStack() as stack:
        with steps("start Spark"):
            spark = stack.enter_context(interruptible_spark(chosen.spark, f"activity-aggregates {asked.table.name}"))
        steps.spark = spark
        _refuse_used(spark, asked.out)
        with steps(f"export {asked.table.name}") as step:
            rows = step.rows = _write(_rows(spark, chosen, link, asked, erased), asked)
    print(f"{rows} rows of {asked.table.name} written to {asked.out}")
    return 0


def _check(asked: Export, chosen: settings.Settings) -> None:
    table = asked.table
    if asked.contexts and "context_id" not in table.key:
        raise BadRequest(f"--context restricts rows of contexts, and {table.name} has none: leave it out")
    if asked.has_dates and table.holds_texts:
        raise BadRequest(f"--dates are those of metrics, and {table.name} has none: leave it out")
    if not table.holds_texts and not names(table.name, selected(chosen)):
        raise BadRequest(f"{table.name} has no metric that is on: switch on its family in metrics.families")


def _refuse_used(spark: SparkSession, out: str) -> None:
    if Staging(spark, out).names():
        raise BadRequest(
            f"--out {out} is not empty, and nothing is overwritten: name another directory, or delete that one"
        )


def _rows(spark: SparkSession, chosen: settings.Settings, link: Connection, asked: Export, erased: Erased) -> DataFrame:
    """The rows that are asked for, without those of erased learners."""
    table, options = asked.table, spark_options(link)
    rows = among(as_stored(spark, chosen.target, options, table), asked.contexts, asked.activities)
    if not table.holds_texts:
        own = names(table.name, selected(chosen))
        rows = metric_rows(rows, table, own, chosen.metrics.scores_in_course, asked.has_dates)
    else:
        has_batches = chosen.sources.batches is not None
        described = description(chosen.metadata, chosen.metrics.time_zone, has_batches=has_batches)
        rows = text_rows(rows, table, described.owns())
    return without_erased(rows, erased) if table.is_of_learners else rows


def _write(rows: DataFrame, asked: Export) -> int:
    """How many rows there were; into the directory that is empty, which only this mode lets be there."""
    seen = Observation()
    counted = rows.observe(seen, F.count(F.lit(1)).alias("rows"))
    if asked.format == CSV:
        with_maps_as_json(counted).write.mode("append").options(**_CSV_OPTIONS).csv(asked.out)
    else:
        counted.write.mode("append").parquet(asked.out)
    return int(seen.get["rows"])
