"""The rows of the aggregate tables as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.store.connector import CASSANDRA_FORMAT, LOOKED_UP, SCANNED, looked_up
from activity_aggregates.store.targets import ACTIVITY_CATALOG, ACTIVITY_METADATA, TargetTable

METADATA_COLUMN = "metadata"


class Stored:
    """Reads target tables through the connector; the keys of their maps are left to the caller to judge."""

    def __init__(self, spark: SparkSession, target: settings.Target, cassandra_options: Mapping[str, str]) -> None:
        self._spark = spark
        self._target = target
        self._options = cassandra_options

    def rows(self, table: TargetTable) -> DataFrame:
        """(key…, agg map<string,double>, agg_last_updated map<string,timestamp>)."""
        return self._rows(table, SCANNED)

    def matching(self, table: TargetTable, keys: DataFrame, key: Sequence[str], by_lookup: bool) -> DataFrame:
        """`rows` whose `key` is among the distinct `keys`; by lookup or by a scan, see `Sources.matching`."""
        if not by_lookup:
            return self._rows(table, SCANNED).join(keys, list(key), how="left_semi")
        return looked_up(keys, self._rows(table, LOOKED_UP), key)

    def _rows(self, table: TargetTable, options: Mapping[str, str]) -> DataFrame:
        columns = self._target.columns
        return self._table(table.name, options).select(
            *table.key,
            _map(columns.agg, "map<string,double>").alias("agg"),
            _map(columns.agg_last_updated, "map<string,timestamp>").alias("agg_last_updated"),
        )

    def metadata(self) -> DataFrame:
        """The rows of activity_metadata in the form of `rows`; its entries have no dates."""
        return self._table(ACTIVITY_METADATA.name).select(
            *ACTIVITY_METADATA.key,
            _map(METADATA_COLUMN, "map<string,string>").alias("agg"),
            F.create_map().cast("map<string,timestamp>").alias("agg_last_updated"),
        )

    def catalog(self) -> DataFrame:
        """(context_id, activity_type, activity_id, course_id) as last written."""
        return self._table(ACTIVITY_CATALOG.name).select(*ACTIVITY_CATALOG.key, "course_id")

    def _table(self, name: str, options: Mapping[str, str] = SCANNED) -> DataFrame:
        place = {"keyspace": self._target.keyspace, "table": self._target.tables[name]}
        return self._spark.read.format(CASSANDRA_FORMAT).options(**{**self._options, **options, **place}).load()


def _map(column: str, kind: str) -> Column:
    return F.coalesce(F.col(f"`{column}`"), F.create_map().cast(kind))
