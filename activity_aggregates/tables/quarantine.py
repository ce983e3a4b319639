"""Refused rows, kept with their key and reason for as long as the settings say."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.tables.sources import CASSANDRA_FORMAT

_BUCKETS = 64
_SECONDS_PER_DAY = 86_400


def quarantine_rows(refused: DataFrame, run_id: str, source: str) -> DataFrame:
    """Rows of the quarantine table from (reason, row_key), with the number of rows of each key."""
    return (
        refused.groupBy("reason", "row_key")
        .agg(F.count(F.lit(1)).alias("rows"))
        .select(
            F.lit(run_id).alias("run_id"), F.lit(source).alias("source"),
            F.pmod(F.hash("row_key"), F.lit(_BUCKETS)).alias("bucket"), "reason", "row_key", "rows",
        )
    )  # fmt: skip


def save_quarantine(rows: DataFrame, target: settings.Target, options: Mapping[str, str], keep_days: int) -> None:
    """Insert quarantine rows; the store forgets them after `keep_days`."""
    place = {"keyspace": target.keyspace, "table": target.tables["aggregate_quarantine"]}
    ttl = {"spark.cassandra.output.ttl": str(keep_days * _SECONDS_PER_DAY)}
    rows.write.format(CASSANDRA_FORMAT).options(**{**options, **place, **ttl}).mode("append").save()
