"""Dates that Spark cannot read as they are: how they show, and how the tables that have them are read all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, DataType, LongType, StructField, StructType

from activity_aggregates import settings
from activity_aggregates.sources.changed_at import WRITE_TIME
from activity_aggregates.sources.numbers import Columns, rows_of_keys, rows_of_ranges
from activity_aggregates.store.connection import Connection, open_session
from metrics.trees.arrow import map_in_arrow

_RANGES_PER_CORE = 4
_DATES = ("timestamp", "date")
# Before it Spark's connector changes points in time: it takes them for days and hours of another calendar and clock.
_EARLIEST = "timestamp'1900-01-02 00:00:00'"
_TOO_EARLY = "a date is earlier than the connector reads as it is"


def is_date_beyond(error: BaseException) -> bool:
    """Whether a query failed because a date is beyond what Spark can hold.

    Spark's connector, and its reader of Parquet's milliseconds, throw for the whole scan where one row has such a date;
    and so does `as_it_is`.
    """
    if not isinstance(error, (PySparkException, Py4JError)):
        return False
    said = str(error)
    return _TOO_EARLY in said or ("ArithmeticException: long overflow" in said and "DateTimeUtils" in said)


def as_it_is(date: Column) -> Column:
    """A date of the connector's; reading one that it has changed fails as one does that is beyond."""
    return F.when(date < F.expr(_EARLIEST), F.raise_error(F.lit(_TOO_EARLY))).otherwise(date)


def can_be_read(rows: DataFrame, dates: Sequence[str], *, by_connector: bool) -> bool:
    """Whether Spark can hold all dates in these columns; reads them to find out."""
    columns = [F.col(f"`{name}`") for name in dates]
    try:
        # Whether there is one: the date itself may be beyond the year 9999, which Python's cannot be.
        rows.agg(*(F.max(as_it_is(column) if by_connector else column).isNotNull() for column in columns)).collect()
    except (PySparkException, Py4JError) as error:
        if not is_date_beyond(error):
            raise
        return False
    return True


@dataclass(frozen=True)
class DatesAsNumbers:
    """A Cassandra table whose dates come as epoch milliseconds, and write times as µs; Python reads it.

    `raw` is the table as Spark's connector has it, which knows the types, and `columns` maps our names to those there.
    """

    spark: SparkSession
    connection: Connection
    source: settings.Source
    raw: DataFrame
    columns: Mapping[str, str]
    written: Sequence[str] = ()

    def scanned(self) -> DataFrame:
        """All rows."""
        ranges = _RANGES_PER_CORE * self.spark.sparkContext.defaultParallelism
        read = partial(rows_of_ranges, self._columns(), self.connection, ranges)
        return map_in_arrow(self.spark.range(0, ranges, 1, ranges), read, self._schema())

    def of(self, keys: DataFrame, key: Sequence[str]) -> DataFrame:
        """The rows of distinct keys, which begin with the whole partition key."""
        read = partial(rows_of_keys, self._columns(), self.connection, [self.columns[name] for name in key])
        return map_in_arrow(keys.select(*key), read, self._schema())

    def _schema(self) -> StructType:
        kinds = {field.name: field.dataType for field in self.raw.schema}
        read = [StructField(ours, _of_numbers(kinds[name])) for ours, name in self.columns.items()]
        times = [(ours, kinds[self.columns[ours]]) for ours in self.written]
        return StructType([*read, *(StructField(WRITE_TIME + ours, _of_write_times(kind)) for ours, kind in times)])

    def _columns(self) -> Columns:
        kinds = dict(self.raw.dtypes)
        read = [
            f'toUnixTimestamp("{name}")' if kinds[name] in _DATES else f'"{name}"' for name in self.columns.values()
        ]
        read += [f'writetime("{self.columns[ours]}")' for ours in self.written]
        keyspace, table = self.source.keyspace or "", self.source.table or ""
        with open_session(self.connection) as session:
            key = session.cluster.metadata.keyspaces[keyspace].tables[table].partition_key
        partition_key = tuple(column.name for column in key)
        return Columns(keyspace, table, tuple(read), to_arrow_schema(self._schema()), partition_key)


def _of_numbers(kind: DataType) -> DataType:
    return LongType() if kind.typeName() in _DATES else kind


def _of_write_times(kind: DataType) -> DataType:
    return ArrayType(LongType()) if isinstance(kind, ArrayType) else LongType()
