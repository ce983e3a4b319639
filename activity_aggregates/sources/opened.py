"""One source, opened: all of its rows, those of some keys, and those with the time of their last change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.sources.beyond import DatesAsNumbers, as_it_is, can_be_read
from activity_aggregates.sources.changed_at import CHANGED_BY, changed_at, tells_write_time, write_times
from activity_aggregates.sources.declarations import SourceTable
from activity_aggregates.sources.deployed import (
    CASSANDRA,
    first_line,
    is_of_a_lake,
    missing,
    of_source,
    place,
    present,
    raw_rows,
    renamed,
)
from activity_aggregates.sources.typed import typed
from activity_aggregates.store.connection import Connection
from activity_aggregates.store.connector import BY_PARTITION, LOOKED_UP, lookup
from metrics.trees.courses import CHANGED_AT

_DIFFERENT = re.compile(r"Failed to merge incompatible data types (\S+ and \S+)\.")
# What keeps rows that are used twice, under a name: computed once, and cut off from what computed them.
Keep = Callable[[DataFrame, str], DataFrame]


@dataclass(frozen=True, kw_only=True)
class Access:
    """How sources are reached: through Spark, and where Spark cannot, through the Python driver."""

    spark: SparkSession
    options: Mapping[str, str]
    connection: Connection | None


@dataclass(frozen=True)
class OpenedSource:
    """`raw` are the rows under their deployed names; nothing has been read of them but their schema."""

    access: Access
    table: SourceTable
    source: settings.Source
    raw: DataFrame

    @property
    def is_cassandra(self) -> bool:
        return self.source.format == CASSANDRA

    @cached_property
    def columns(self) -> dict[str, str]:
        """Our names of the columns that are read, with the deployed ones."""
        return present(self.table, self.source, self.raw)

    @property
    def absent(self) -> tuple[str, ...]:
        """The optional columns that are not deployed, or that the settings leave out."""
        return tuple(name for name in self.table.optional if name not in self.columns)

    def rows(self, as_numbers: bool) -> DataFrame:
        """All rows; `as_numbers` reads dates that Spark cannot hold, where the source has any."""
        return typed(self._scan(as_numbers, self.columns), self.table)

    def dated(self, as_numbers: bool) -> DataFrame:
        """All rows with `changed_at`."""
        by_column = {CHANGED_BY: self.source.changed_at} if self.source.changed_at else {}
        rows = self._scan(as_numbers, {**self.columns, **by_column}, self._written)
        known = rows.withColumn(CHANGED_AT, changed_at(rows, self.table.dated))
        return typed(known, self.table, CHANGED_AT)

    def of(self, keys: DataFrame, key: Sequence[str], as_numbers: bool, keep: Keep) -> DataFrame:
        """The rows of distinct keys, which begin with the whole partition key: Cassandra is asked for each, at once."""
        if as_numbers and self.table.dates and self.access.connection:
            found = self._by_driver(self.access.connection, self.columns).of(keys, key)
            return typed(keep(found, self.table.name), self.table)
        raw = raw_rows(self.access.spark, self.table, self.source, {**self.access.options, **LOOKED_UP})
        # Nothing but names between the table and the join: below a guard on dates it would be a scan.
        found = keep(lookup(keys, raw.select(*renamed(self.columns)), key), self.table.name)
        return typed(self._as_they_are(found), self.table)

    def _scan(self, as_numbers: bool, columns: Mapping[str, str], written: Sequence[str] = ()) -> DataFrame:
        """All rows with these columns, each by our name with the deployed one, and the write times of some."""
        if as_numbers and self._beyond and not self.is_cassandra:
            return self._with_longs(self._beyond).select(*renamed(columns))
        if as_numbers and self._beyond and self.access.connection:
            return self._by_driver(self.access.connection, columns, written).scanned()
        return self._as_they_are(self.raw.select(*renamed(columns), *write_times(self.columns, written)))

    def _as_they_are(self, rows: DataFrame) -> DataFrame:
        """Rows under our names, none of whose dates the connector has changed."""
        kinds = dict(rows.dtypes)
        dates = [name for name in self.table.dates if kinds.get(name) == "timestamp"]
        return rows.withColumns({name: as_it_is(F.col(name)) for name in dates}) if self.is_cassandra else rows

    @cached_property
    def _beyond(self) -> list[str]:
        """The deployed names of columns with a date that Spark cannot hold: read to find out, once."""
        kinds = dict(self.raw.dtypes)
        named = [self.columns.get(name) for name in self.table.dates] + [self.source.changed_at]
        dates = [name for name in {*named} if name and kinds.get(name) in ("timestamp", "timestamp_ntz")]
        if not dates or can_be_read(self.raw, dates, by_connector=self.is_cassandra):
            return []
        if self.is_cassandra:
            return dates
        return [name for name in dates if not can_be_read(self.raw, [name], by_connector=False)]

    @cached_property
    def _written(self) -> list[str]:
        """The columns whose write time tells when a row was changed; whether it does so of a list is asked once."""
        written = [name for name in self.table.written if name in self.columns and self.is_cassandra]
        lists = [name for name in written if name in self.table.counted]
        untold = [name for name in lists if not self._tells_write_time(self.columns[name])]
        return [name for name in written if name not in untold]

    def _tells_write_time(self, column: str) -> bool:
        connection = self.access.connection
        return connection is not None and tells_write_time(of_source(connection, self.source), self.source, column)

    def _by_driver(
        self, connection: Connection, columns: Mapping[str, str], written: Sequence[str] = ()
    ) -> DatesAsNumbers:
        reached = of_source(connection, self.source)
        return DatesAsNumbers(self.access.spark, reached, self.source, self.raw, columns, written)

    def _with_longs(self, names: Iterable[str]) -> DataFrame:
        """The rows of a file whose dates are numbers of milliseconds inside: Parquet's, which may be beyond Spark's."""
        as_numbers = {*names}
        columns = ", ".join(f"`{name}` {'bigint' if name in as_numbers else kind}" for name, kind in self.raw.dtypes)
        reader = self.access.spark.read.format(self.source.format).options(**self.source.options)
        return reader.schema(columns).load(self.source.path)


def opened(access: Access, table: SourceTable, source: settings.Source, problems: list[str]) -> OpenedSource | None:
    """The source; None, and what is wrong with it among the problems, where a table or a column is missing."""
    if source.format == "parquet" and is_of_a_lake(access.spark, source):
        problems.append(f"{table.name} ({source.path} is a table of Delta or Hudi: export it as Parquet files)")
        return None
    try:
        raw = raw_rows(access.spark, table, source, {**access.options, **(BY_PARTITION if table.by_partition else {})})
    except PySparkException as error:
        problems.append(f"{table.name} ({place(source)}: {first_line(error)})")
        return None
    except Py4JJavaError as error:  # of which Spark's Python makes nothing
        if (types := _DIFFERENT.search(str(error))) is None:
            raise
        problems.append(
            f"{table.name} (the files of {place(source)} have one column as {types[1]}: write it in one type)"
        )
        return None
    if names := [*missing(table, source, raw)]:
        problems.append(f"{table.name} ({place(source)} has no column {', '.join(names)})")
        return None
    return OpenedSource(access, table, source, raw)
