"""The sources: what is read of each, and how deployed names and file formats become the columns of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType, _parse_datatype_string

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.tables.erased import Erased
from activity_aggregates.tables.erased_rows import USER_ID, erased_rows, without_users

CASSANDRA_FORMAT = "org.apache.spark.sql.cassandra"


@dataclass(frozen=True)
class SourceTable:
    """A source by its setting's name: `schema` is the contract of its DataFrame, `columns` the names as deployed.

    A value of a text file that cannot be read as its column's type puts `refused_by` = (column, SQL value) into its
    row, which the metrics refuse and count: nothing unreadable passes for a null.
    """

    name: str
    schema: str
    columns: Mapping[str, str]
    refused_by: tuple[str, str] | None = None


ENROLMENTS = SourceTable(
    "enrolments",
    "user_id string, course_id string, batch_id string, active boolean, status int, completed_on timestamp",
    {"user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "completed_on": "completedon"},
    refused_by=("status", "-1"),
)
PROGRESS = SourceTable(
    "progress",
    "user_id string, course_id string, batch_id string, content_id string, status int",
    {"user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "content_id": "contentid"},
    refused_by=("status", "-1"),
)
HIERARCHIES = SourceTable("hierarchies", "course_id string, hierarchy string", {"course_id": "identifier"})
ATTEMPTS = SourceTable(
    "attempts",
    "course_id string, batch_id string, user_id string, content_id string, attempt_id string, "
    "total_score double, total_max_score double, last_attempted_on timestamp",
    {},
    refused_by=("total_score", "double('NaN')"),
)
BATCHES = SourceTable(
    "batches",
    "course_id string, start_date string, end_date string",
    {"course_id": "courseid", "start_date": "startdate", "end_date": "enddate"},
)
GROUPS = SourceTable(
    "groups",
    "group_id string, status string, activities array<map<string,string>>",
    {"group_id": "id"},
    refused_by=("activities", "array(cast(map() as map<string,string>))"),  # one activity without id and type
)
GROUP_MEMBERS = SourceTable(
    "group_members", "group_id string, user_id string, status string", {"group_id": "groupid", "user_id": "userid"}
)

SOURCE_TABLES = (ENROLMENTS, PROGRESS, HIERARCHIES, ATTEMPTS, BATCHES, GROUPS, GROUP_MEMBERS)


class Sources:
    """The configured sources, opened and checked before anything is read; whoever was erased is in none of them."""

    def __init__(
        self, spark: SparkSession, sources: settings.Sources, cassandra_options: Mapping[str, str], erased: Erased
    ) -> None:
        """Raises BadRequest with one message that lists every table and column that is missing."""
        problems: list[str] = []
        self._spark = spark
        self._erased = erased
        self._frames: dict[str, DataFrame] = {}
        for table in SOURCE_TABLES:
            source: settings.Source | None = getattr(sources, table.name)
            if source is not None:
                frame = _opened(spark, table, source, cassandra_options, problems)
                if frame is not None:
                    self._frames[table.name] = frame
        if problems:
            raise BadRequest(f"the sources lack {'; '.join(problems)}: correct `sources` in the configuration")

    def has(self, table: SourceTable) -> bool:
        return table.name in self._frames

    def frame(self, table: SourceTable) -> DataFrame:
        """The rows of a source, of exactly its schema; no rows where it is not configured."""
        if table.name not in self._frames:
            return self._spark.createDataFrame([], table.schema)
        rows = self._frames[table.name]
        if USER_ID not in rows.columns or self.erased_users is None:
            return rows
        return without_users(rows, self.erased_users)

    @cached_property
    def erased_users(self) -> DataFrame | None:
        """(user_id) of the erased learners whom the sources still name, None where they name none.

        Reads the ids of all sources of learners, once; where nobody was erased, nothing.
        """
        if not self._erased.hashes:
            return None
        ids = [rows.select(USER_ID) for rows in self._frames.values() if USER_ID in rows.columns]
        users = erased_rows(reduce(DataFrame.union, ids).distinct(), self._erased).localCheckpoint()
        return None if users.isEmpty() else users


def fields(table: SourceTable) -> list[StructField]:
    schema = _parse_datatype_string(table.schema)
    assert isinstance(schema, StructType)
    return schema.fields


def _opened(
    spark: SparkSession,
    table: SourceTable,
    source: settings.Source,
    cassandra_options: Mapping[str, str],
    problems: list[str],
) -> DataFrame | None:
    place = source.path or f"{source.keyspace}.{source.table}"
    try:
        raw = _raw(spark, source, cassandra_options)
    except PySparkException as error:
        problems.append(f"{table.name} ({place}: {first_line(error)})")
        return None
    names = {field.name: deployed_name(table, source, field.name) for field in fields(table)}
    missing = [name for name in names.values() if name not in raw.columns]
    if missing:
        problems.append(f"{table.name} ({place} has no column {', '.join(missing)})")
        return None
    return _typed(raw.select(*(F.col(f"`{name}`").alias(ours) for ours, name in names.items())), table)


def deployed_name(table: SourceTable, source: settings.Source, column: str) -> str:
    """The name of a column where it is deployed: as mapped in the settings, else as Sunbird has it."""
    return source.columns.get(column, table.columns.get(column, column))


def first_line(error: PySparkException) -> str:
    """What Spark says of an error, without the plan and the stack that follow."""
    return str(error).strip().splitlines()[0].rstrip(".:;")


def _raw(spark: SparkSession, source: settings.Source, cassandra_options: Mapping[str, str]) -> DataFrame:
    if source.format == "cassandra":
        place = {"keyspace": source.keyspace or "", "table": source.table or ""}
        return spark.read.format(CASSANDRA_FORMAT).options(**{**cassandra_options, **place, **source.options}).load()
    given = {"csv": {"header": "true"}, "json": {"primitivesAsString": "true"}, "parquet": {}}[source.format]
    return spark.read.format(source.format).options(**{**given, **source.options}).load(source.path)


def _typed(raw: DataFrame, table: SourceTable) -> DataFrame:
    """The columns in their declared types."""
    kinds = dict(raw.dtypes)
    readable: dict[str, Column] = {}
    unreadable: list[Column] = []
    for field in fields(table):
        column, kind = F.col(field.name), field.dataType.simpleString()
        if kinds[field.name] == kind:
            readable[field.name] = column
            continue
        if isinstance(field.dataType, ArrayType):
            as_json = column if kinds[field.name] == "string" else F.to_json(column)
            readable[field.name] = F.from_json(as_json, kind)
        else:
            readable[field.name] = F.expr(f"try_cast(`{field.name}` as {kind})")
        unreadable.append(column.isNotNull() & readable[field.name].isNull())
    if unreadable and table.refused_by:
        name, value = table.refused_by
        is_unreadable = unreadable[0]
        for other in unreadable[1:]:
            is_unreadable = is_unreadable | other
        readable[name] = F.when(is_unreadable, F.expr(value)).otherwise(readable[name])
    return raw.select(*(value.alias(name) for name, value in readable.items()))
