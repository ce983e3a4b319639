"""Refused rows, kept with their key and reason for as long as the settings say."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.store.connector import CASSANDRA_FORMAT

QUARANTINE = "aggregate_quarantine"
QUARANTINE_KEY = ("run_id", "source", "bucket", "reason", "row_key")

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
    place = _place(target)
    ttl = {"spark.cassandra.output.ttl": str(keep_days * _SECONDS_PER_DAY)}
    rows.write.format(CASSANDRA_FORMAT).options(**{**options, **place, **ttl}).mode("append").save()


def quarantined_users(spark: SparkSession, target: settings.Target, options: Mapping[str, str]) -> DataFrame:
    """(key…, user_id) of all that is kept; the user_id is null where the row's key has none."""
    kept = spark.read.format(CASSANDRA_FORMAT).options(**{**options, **_place(target)}).load()
    return kept.select(*QUARANTINE_KEY, F.get_json_object("row_key", "$.user_id").alias("user_id"))


def _place(target: settings.Target) -> dict[str, str]:
    return {"keyspace": target.keyspace, "table": target.tables[QUARANTINE]}
