"""The rows of the target tables as they are stored, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cassandra.cluster import Session
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.store.connection import read
from activity_aggregates.store.connector import BY_PARTITION, CASSANDRA_FORMAT, LOOKED_UP, SCANNED, lookup
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, TEXTS, TargetTable
from metrics.learners import CARRIED, ENTRIES
from metrics.names import SCORE_PREFIXES, WAS
from metrics.predicates import is_served_row

_NONE = "array<string>"
SCORES = "^(" + "|".join(SCORE_PREFIXES) + ")"  # a pattern of names with an id in them


def as_stored(
    spark: SparkSession, target: settings.Target, options: Mapping[str, str], table: TargetTable
) -> DataFrame:
    """(key…, agg, dates) of a table of metrics, or (key…, its column) of one of texts: all rows, by a scan.

    Only the columns that are asked of them are read.
    """
    rows = _opened(spark, target, {**options, **SCANNED}, table)
    return rows.select(*table.key, *([table.column] if table.holds_texts else _maps(target)))


def _opened(spark: SparkSession, target: settings.Target, options: Mapping[str, str], table: TargetTable) -> DataFrame:
    place = {"keyspace": target.keyspace, "table": target.tables[table.name]}
    return spark.read.format(CASSANDRA_FORMAT).options(**{**options, **place}).load()


def _maps(target: settings.Target) -> tuple[Column, Column]:
    """Both maps of a row, under our names: agg and dates."""
    columns = target.columns
    return F.col(f"`{columns.agg}`").alias("agg"), F.col(f"`{columns.agg_last_updated}`").alias("dates")


def scores_in(column: str) -> Column:
    """The entries of a map that have an id in their names; null without any."""
    scores = F.map_filter(column, lambda name, _: name.rlike(SCORES))
    return F.when(F.size(scores) > 0, scores)


@dataclass(frozen=True)
class StoredRows:
    """Reads target tables through the connector.

    `as_of_ms` tells which stored dates are newer; `has_scores` says whether the entries with ids in their names are the
    job's own. `carried` are entries of others that learners' rows have beside the job's, under `CARRIED` and their
    names. Where the rows `are_few`, one task reads a table.
    """

    spark: SparkSession
    session: Session
    target: settings.Target
    options: Mapping[str, str]
    as_of_ms: int
    has_scores: bool
    are_few: bool = False
    carried: Sequence[str] = ()

    def is_empty(self, table: TargetTable) -> bool:
        """Whether the table has no row at all; asked of the store itself, which costs no query of Spark's."""
        place = f"{self.target.keyspace}.{self.target.tables[table.name]}"
        return not read(self.session, f"SELECT {table.key[0]} FROM {place} LIMIT 1")

    def rows(self, table: TargetTable, metrics: Sequence[str]) -> DataFrame:
        """(key…, was_<metric>…, was_entries or was_texts, newer, undated, carried…), all rows of kinds that are served.

        `newer` are the names of entries that a later run has written, `undated` those without a date; null for none.
        """
        return self._columns(table, metrics, self._scan(table))

    def matching(self, table: TargetTable, metrics: Sequence[str], keys: DataFrame, key: Sequence[str]) -> DataFrame:
        """`rows` whose `key`, which begins with the whole partition key, is among the distinct `keys`: by lookups."""
        raw = lookup(keys, self._table(table, LOOKED_UP), key)
        return self._columns(table, metrics, raw)

    def _columns(self, table: TargetTable, metrics: Sequence[str], raw: DataFrame) -> DataFrame:
        if table.holds_texts:
            return self._texts(table, raw)
        if "context_id" in table.key:
            raw = raw.filter(is_served_row())
        agg = F.col(f"`{self.target.columns.agg}`")
        values = [agg[name].alias(WAS + name) for name in metrics]
        carried = [CARRIED + name for name in self.carried] if table == ACTIVITY_USER_AGG else []
        values += [agg[name.removeprefix(CARRIED)].alias(name) for name in carried]
        rows = raw.select(*table.key, *_maps(self.target), *values)
        entries = [self._entries(metrics).alias(WAS + ENTRIES)] if table.has_entries else []
        return rows.select(
            *table.key, *(WAS + name for name in metrics), *entries, self._newer(metrics).alias("newer"),
            self._undated(metrics).alias("undated"), *carried,
        )  # fmt: skip

    def _entries(self, metrics: Sequence[str]) -> Column:
        """The scores of quizzes in a Course row; a map without further entries is not looked through."""
        if not self.has_scores:
            return F.lit(None).cast("map<string,double>")
        known = sum((F.col(WAS + name).isNotNull().cast("int") for name in metrics), F.lit(0))
        return F.when(F.size("agg") > known, scores_in("agg"))

    def _is_own(self, metrics: Sequence[str], name: Column) -> Column:
        is_named = name.isin(*metrics)
        return is_named | name.rlike(SCORES) if self.has_scores else is_named

    def _newer(self, metrics: Sequence[str]) -> Column:
        """Own entries with a later date; a row without any later date is not looked through."""
        bound = F.lit(self.as_of_ms)
        late = F.map_filter("dates", lambda name, date: (F.unix_millis(date) > bound) & self._is_own(metrics, name))
        return F.when(F.unix_millis(F.array_max(F.map_values("dates"))) > bound, _or_null(F.map_keys(late)))

    def _undated(self, metrics: Sequence[str]) -> Column:
        """Own entries that have no date: another writer has set them. Where all have one, nothing is looked through."""
        is_dated = F.col("dates").isNotNull()

        def lacks(name: Column) -> Column:
            has = F.coalesce(F.call_function("map_contains_key", F.col("dates"), name), F.lit(False))
            return self._is_own(metrics, name) & ~(is_dated & has)

        has_fewer = F.coalesce(F.size("dates"), F.lit(0)) < F.size("agg")
        return F.when(has_fewer, _or_null(F.filter(F.map_keys("agg"), lacks)))

    def _texts(self, table: TargetTable, raw: DataFrame) -> DataFrame:
        column = F.col(f"`{table.column}`")
        texts = F.create_map(F.lit(table.column), column) if table.is_plain else column
        nothing = F.lit(None).cast(_NONE)
        return raw.select(*table.key, texts.alias(WAS + TEXTS), nothing.alias("newer"), nothing.alias("undated"))

    def plain(self, table: TargetTable) -> DataFrame:
        """(key…, the text) of a table whose rows have one."""
        return self._scan(table).select(*table.key, table.column)

    def plain_keys(self, table: TargetTable) -> DataFrame:
        """(key…) of all rows."""
        return self._scan(table).select(*table.key)

    def _scan(self, table: TargetTable) -> DataFrame:
        rows = self._table(table)
        return rows.coalesce(1) if self.are_few else rows

    def _table(self, table: TargetTable, options: Mapping[str, str] | None = None) -> DataFrame:
        """With conditions on the partition key handed on where it has one column, which is what they are on then."""
        options = options or (BY_PARTITION if len(table.partition_key) == 1 else SCANNED)
        return _opened(self.spark, self.target, {**self.options, **options}, table)


def _or_null(names: Column) -> Column:
    return F.when(F.size(names) > 0, names)
