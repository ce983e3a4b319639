"""Reading through Spark's connector: its format, scans, and lookups by key."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame

CASSANDRA_FORMAT = "org.apache.spark.sql.cassandra"
# The connector's joins by key, in place of scans, are asked for where they are wanted and nowhere else.
# A condition on a part of a partition key, which the connector hands on, is refused by the store: conditions stay with
# Spark, except where a table is asked for by its whole partition key.
SCANNED = {"directJoinSetting": "off", "pushdown": "false"}
BY_PARTITION = {"directJoinSetting": "off", "pushdown": "true"}
LOOKED_UP = {"directJoinSetting": "on"}


def lookup(keys: DataFrame, rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """The rows that Cassandra has for each of the distinct keys, which it is asked for one by one.

    To be kept at once: the connector's join does not find renamed columns in what is later asked of them.
    """
    return keys.select(*key).join(rows, list(key), how="inner").select(*rows.columns)
