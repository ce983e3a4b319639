"""Where a source is and what its columns are called there; opened in any format, nothing is read yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cassandra.metadata import protect_name
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from activity_aggregates import settings
from activity_aggregates.sources.declarations import SourceTable, fields
from activity_aggregates.store.connection import Connection
from activity_aggregates.store.connector import CASSANDRA_FORMAT, SCANNED
from activity_aggregates.texts import hosts_of

CASSANDRA = "cassandra"
_HOSTS = "spark.cassandra.connection.host"
_PORT = "spark.cassandra.connection.port"
_DATACENTER = "spark.cassandra.connection.localDC"
_BUNDLE = "spark.cassandra.connection.config.cloud.path"
_CORRUPT_RECORD = "_corrupt_record"  # the column that Spark adds for lines that are not JSON, or not of the header
# Of several CSV files each has its own header, by which it is held against the first: by their places alone, columns of
# another order would be taken for each other. Of Parquet the first file alone would say what columns there are, and of
# which type: others would lack theirs, or have other dates, without a word. In JSON a backslash may stand before any
# character, as the platform's own readers have it.
_OF_FILES = {
    "csv": {"header": "true", "enforceSchema": "false"},
    "json": {"primitivesAsString": "true", "allowBackslashEscapingAnyCharacter": "true"},
    "parquet": {"mergeSchema": "true"},
}


def deployed_name(table: SourceTable, source: settings.Source, column: str) -> str:
    """The name of a column where it is deployed: as mapped in the settings, else as the platform has it."""
    return source.columns.get(column) or table.columns.get(column, column)


def place(source: settings.Source) -> str:
    """A source as messages name it."""
    return source.path or f"{source.keyspace}.{source.table}"


def cql_place(source: settings.Source) -> str:
    """A table of the store as statements name it."""
    return f"{protect_name(source.keyspace)}.{protect_name(source.table)}"


def is_in_targets_cluster(source: settings.Source) -> bool:
    """Whether the session of the target can be asked about a source."""
    return source.format == CASSANDRA and not {_HOSTS, _PORT, _BUNDLE} & source.options.keys()


def address(cassandra: settings.Cassandra, source: settings.Source | None = None) -> tuple[str, int]:
    """A host and the port of the cluster of a source, or of the target; of a bundle its file stands for hosts."""
    bundle, hosts, port = _reached(cassandra, source.options if source is not None else {})
    return Path(bundle).name if bundle else hosts[0], port


def _reached(
    target: Connection | settings.Cassandra, options: Mapping[str, str]
) -> tuple[str | None, Sequence[str], int]:
    """The bundle, the hosts and the port that options name, else the target's: beside hosts no bundle of it is left."""
    hosts = options.get(_HOSTS)
    return (
        options.get(_BUNDLE) or (None if hosts else target.secure_connect_bundle),
        hosts_of(hosts, _HOSTS) if hosts else target.contact_points,
        int(options.get(_PORT, target.port)),
    )


def of_source(connection: Connection, source: settings.Source) -> Connection:
    """The connection to the cluster that a source's options name where they do; they are those of Spark's connector.

    A bundle stands for hosts, and brings a TLS of its own: of the target's place and the source's, one is left.
    """
    named = {key.removeprefix("spark.cassandra."): value for key, value in source.options.items()}
    bundle, hosts, port = _reached(connection, source.options)
    datacenter = "" if _names_place(source) else connection.local_datacenter  # that of whichever host is met first
    return replace(
        connection,
        secure_connect_bundle=bundle,
        tls=None if source.options.get(_BUNDLE) else connection.tls,
        contact_points=tuple(hosts),
        port=port,
        local_datacenter=named.get("connection.localDC", datacenter),
        consistency=named.get("input.consistency.level", connection.consistency),
        username=named.get("auth.username", connection.username),
        password=named.get("auth.password", connection.password),
    )


def _names_place(source: settings.Source) -> bool:
    """Whether a source's options name hosts or a bundle of its own."""
    return any(source.options.get(key) for key in (_HOSTS, _BUNDLE))


def raw_rows(
    spark: SparkSession, table: SourceTable, source: settings.Source, cassandra_options: Mapping[str, str]
) -> DataFrame:
    """The rows under their deployed names; raises PySparkException where there is nothing of the kind."""
    if source.format == CASSANDRA:
        named = {"keyspace": source.keyspace or "", "table": source.table or ""}
        options = {**SCANNED, **place_options(source, cassandra_options), **named, **source.options}
        return spark.read.format(CASSANDRA_FORMAT).options(**options).load()
    options = {**_OF_FILES[source.format], **source.options}
    reader = spark.read.format(source.format).options(**options)
    if source.format == "json":
        found = {*_json_names(spark, source, options)}  # of which others may differ in their case only
        wanted = [*(deployed_name(table, source, field.name) for field in fields(table)), source.changed_at or ""]
        reader = reader.schema(_texts(name for name in dict.fromkeys(wanted) if name in found))
    rows = reader.load(source.path)
    # Spark holds names that it has made up against the header, too, and would refuse the file.
    is_as_written = source.format == "csv" and not _has_made_up_names(rows.columns)
    return _whole_records(reader, source, rows.schema) if is_as_written else rows


def is_of_a_lake(spark: SparkSession, source: settings.Source) -> bool:
    """Whether a folder is a table of Delta or Hudi: its files have rows that the table's own log says are gone."""
    jvm: Any = spark._jvm
    configuration = spark._jsc.hadoopConfiguration()
    logs = [jvm.org.apache.hadoop.fs.Path(source.path, name) for name in ("_delta_log", ".hoodie")]
    try:
        return any(log.getFileSystem(configuration).exists(log) for log in logs)
    except Py4JJavaError:  # who reads it will say why
        return False


def _has_made_up_names(names: Sequence[str]) -> bool:
    """Whether Spark may have named columns of a header that says nothing for some, or the same for several.

    >>> [_has_made_up_names(names) for names in (["id", "name"], ["_c0", "id"], ["id", "name1", "name2"])]
    [False, True, True]
    """
    said = [name.removesuffix(str(place)).lower() for place, name in enumerate(names)]
    return "_c" in said or len({*said}) < len(said)


def _whole_records(reader: DataFrameReader, source: settings.Source, schema: StructType) -> DataFrame:
    """The rows of a CSV file; one that has more or fewer values than the header has none, and so no key.

    Quotes that are escaped otherwise than the reader takes them to be, and line breaks inside of quotes, part a row at
    the wrong places: its values would be taken for those of other columns.
    """
    read = reader.schema(StructType([*schema, StructField(_CORRUPT_RECORD, StringType())]))
    # Where only some columns are read, Spark does not count the others.
    whole = {"columnNameOfCorruptRecord": _CORRUPT_RECORD, "columnPruning": "false"}
    rows = read.options(**whole).load(source.path)
    is_whole = F.col(_CORRUPT_RECORD).isNull()
    columns = ((name, F.col(f"`{name.replace('`', '``')}`")) for name in schema.names)
    return rows.select(*(F.when(is_whole, column).alias(name) for name, column in columns))


def place_options(source: settings.Source, cassandra_options: Mapping[str, str]) -> Mapping[str, str]:
    """The target's options, without what says where its own cluster is where the source names another place.

    The connector would pass over hosts beside a bundle, and find no host of the target's datacenter.
    """
    left_out = {_HOSTS, _BUNDLE, _DATACENTER} if _names_place(source) else set[str]()
    return {key: value for key, value in cassandra_options.items() if key not in left_out}


def _json_names(spark: SparkSession, source: settings.Source, options: Mapping[str, str]) -> Iterable[str]:
    """The names that the records of a JSON file have.

    Spark infers types with them, down to the last node of a tree, and refuses names that differ in their case only; so
    that is done in a session of its own, and all columns are read as texts: of an object or a list, its JSON.
    """
    apart = spark.newSession()
    apart.conf.set("spark.sql.caseSensitive", True)
    found = apart.read.format(source.format).options(**options).load(source.path).columns
    return [name for name in found if name != _CORRUPT_RECORD]


def _texts(names: Iterable[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in names])


def first_line(error: PySparkException) -> str:
    """What Spark says of an error, without the plan and the stack that follow."""
    return str(error).strip().splitlines()[0].rstrip(".:;")


def present(table: SourceTable, source: settings.Source, raw: DataFrame) -> dict[str, str]:
    """Our names of the columns that are deployed and not left out by the settings, with their names there."""
    named = {field.name: deployed_name(table, source, field.name) for field in fields(table)}
    left_out = {ours for ours, name in source.columns.items() if name is None}
    return {ours: name for ours, name in named.items() if name in raw.columns and ours not in left_out}


def missing(table: SourceTable, source: settings.Source, raw: DataFrame) -> Iterator[str]:
    """The deployed names of columns that must be there and are not, or are left out by the settings."""
    here = present(table, source, raw)
    alternatives = {column for pair in table.either for column in pair}
    for field in fields(table):
        if field.name not in {*here, *table.optional, *alternatives}:
            is_null = source.columns.get(field.name, "") is None
            yield f"{field.name} (null in its columns)" if is_null else deployed_name(table, source, field.name)
    for pair in table.either:
        if not {*pair} & here.keys():
            yield " or ".join(deployed_name(table, source, column) for column in pair)


def renamed(columns: Mapping[str, str]) -> list[Column]:
    """The columns of `present` under our names."""
    return [F.col(f"`{name}`").alias(ours) for ours, name in columns.items()]
