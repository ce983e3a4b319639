"""The sources: what is read of each, and how deployed names and file formats become the columns of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, reduce

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType, _parse_datatype_string

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.erased_rows import USER_ID, erased_rows, without_users
from activity_aggregates.store.connector import CASSANDRA_FORMAT, LOOKED_UP, SCANNED, lookup
from activity_aggregates.store.erased import Erased

CASSANDRA = "cassandra"
CHANGED_AT = "changed_at"


@dataclass(frozen=True)
class SourceTable:
    """A source by its setting's name: `schema` is the contract of its DataFrame, `columns` the names as deployed.

    A value of a text file that cannot be read as its column's type puts `refused_by` = (column, SQL value) into its
    row, which the metrics refuse and count: nothing unreadable passes for a null.

    `written` are the columns whose write time in Cassandra tells when a row was changed, `dated` those that say it
    themselves.
    """

    name: str
    schema: str
    columns: Mapping[str, str]
    refused_by: tuple[str, str] | None = None
    written: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()


ENROLMENTS = SourceTable(
    "enrolments",
    "user_id string, course_id string, batch_id string, active boolean, status int, completed_on timestamp",
    {
        "user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "completed_on": "completedon",
        "enrolled_on": "enrolled_date", "accessed_on": "lastcontentaccesstime",
    },
    refused_by=("status", "-1"),
    written=("active", "status", "completed_on", "enrolled_on", "accessed_on"),
    dated=("accessed_on",),
)  # fmt: skip
PROGRESS = SourceTable(
    "progress",
    "user_id string, course_id string, batch_id string, content_id string, status int",
    {"user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "content_id": "contentid"},
    refused_by=("status", "-1"),
)
HIERARCHIES = SourceTable(
    "hierarchies", "course_id string, hierarchy string", {"course_id": "identifier"}, written=("hierarchy",)
)
ATTEMPTS = SourceTable(
    "attempts",
    "course_id string, batch_id string, user_id string, content_id string, attempt_id string, "
    "total_score double, total_max_score double, last_attempted_on timestamp",
    {},
    refused_by=("total_score", "double('NaN')"),
    written=("total_score", "total_max_score", "last_attempted_on"),
    dated=("last_attempted_on",),
)
BATCHES = SourceTable(
    "batches",
    "course_id string, start_date string, end_date string",
    {"course_id": "courseid", "start_date": "startdate", "end_date": "enddate"},
    written=("start_date", "end_date"),
)
GROUPS = SourceTable(
    "groups",
    "group_id string, status string, activities array<map<string,string>>",
    {"group_id": "id"},
    refused_by=("activities", "array(cast(map() as map<string,string>))"),  # one activity without id and type
    written=("status",),
)
GROUP_MEMBERS = SourceTable(
    "group_members",
    "group_id string, user_id string, status string",
    {"group_id": "groupid", "user_id": "userid"},
    written=("status",),
)

# The enrolments once more, for who asks when something happened to them.
ENROLMENT_DATES = SourceTable(
    "enrolments",
    "user_id string, course_id string, batch_id string, completed_on timestamp, enrolled_on timestamp, "
    "accessed_on timestamp",
    ENROLMENTS.columns,
)

SOURCE_TABLES = (ENROLMENTS, PROGRESS, HIERARCHIES, ATTEMPTS, BATCHES, GROUPS, GROUP_MEMBERS)


class Sources:
    """The configured sources, opened and checked before anything is read; whoever was erased is in none of them."""

    def __init__(
        self,
        spark: SparkSession,
        sources: settings.Sources,
        cassandra_options: Mapping[str, str],
        erased: Erased,
        tables: Sequence[SourceTable] = SOURCE_TABLES,
        not_looked_through: Sequence[SourceTable] = (),
    ) -> None:
        """Raises BadRequest with one message that lists every table and column that is missing of `tables`.

        The ids of erased learners are not looked for in tables that are read for the learners of others only.
        """
        problems: list[str] = []
        self._spark = spark
        self._erased = erased
        self._not_looked_through = {table.name for table in not_looked_through}
        self._options = cassandra_options
        self._sources: dict[str, settings.Source] = {}
        self._frames: dict[str, DataFrame] = {}
        self._narrowed: dict[str, DataFrame] = {}
        for table in tables:
            source: settings.Source | None = getattr(sources, table.name)
            if source is not None:
                self._sources[table.name] = source
                frame = _opened(spark, table, source, cassandra_options, problems)
                if frame is not None:
                    self._frames[table.name] = frame
        _refuse(problems)

    def has(self, table: SourceTable) -> bool:
        return table.name in self._frames

    def frame(self, table: SourceTable) -> DataFrame:
        """The rows of a source, of exactly its schema; no rows where it is not configured."""
        if table.name in self._narrowed:
            return self._narrowed[table.name]
        if table.name not in self._frames:
            return self._spark.createDataFrame([], table.schema)
        return self._without_erased(self._frames[table.name])

    def _without_erased(self, rows: DataFrame) -> DataFrame:
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
        frames = [rows for name, rows in self._frames.items() if name not in self._not_looked_through]
        ids = [rows.select(USER_ID) for rows in frames if USER_ID in rows.columns]
        users = erased_rows(reduce(DataFrame.union, ids).distinct(), self._erased).persist()
        return None if users.isEmpty() else users

    def narrowed(self, **frames: DataFrame) -> Sources:
        """The same sources with fewer rows of those that are named."""
        view = copy(self)
        view._narrowed = {**self._narrowed, **frames}
        return view

    def dated(self, table: SourceTable) -> DataFrame:
        """The rows with `changed_at`, the latest that is known of a row's changes; null where nothing is.

        Known are write times in Cassandra, of the columns that are read, and dates in the row; of a file only the
        column that `changed_at` of the source names. `check_dated` says whether that is enough.
        """
        if not self.has(table):
            return self._spark.createDataFrame([], f"{table.schema}, {CHANGED_AT} timestamp")
        source = self._sources[table.name]
        raw = _raw(self._spark, source, self._options)
        rows = raw.select(*_renamed(table, source), _changed_at(table, source).alias(CHANGED_AT))
        return self._without_erased(_typed(rows, table, CHANGED_AT))

    def check_dated(self, tables: Sequence[SourceTable]) -> None:
        """Raises BadRequest where a source cannot tell when its rows were changed."""
        problems: list[str] = []
        for table in tables:
            if (source := self._sources.get(table.name)) is None:
                continue
            if source.format != CASSANDRA and source.changed_at is None:
                problems.append(f"{table.name} ({source.path} has no write times: name a column as changed_at)")
                continue
            present = _raw(self._spark, source, self._options).columns
            wanted = [source.changed_at] if source.changed_at else []
            if source.format == CASSANDRA:
                wanted += [deployed_name(table, source, name) for name in table.dated]
            if missing := [name for name in wanted if name not in present]:
                problems.append(f"{table.name} (no column {', '.join(missing)})")
        _refuse(problems, "what an incremental run needs to see changes in ")

    def matching(self, table: SourceTable, keys: DataFrame, key: Sequence[str], by_lookup: bool) -> DataFrame:
        """The rows whose `key` is among the distinct `keys`.

        By lookup Cassandra is asked for each key, which has to begin with the whole partition key; otherwise, and from
        files, everything is scanned.
        """
        if not (by_lookup and self.has(table) and self._sources[table.name].format == CASSANDRA):
            return self.frame(table).join(keys, list(key), how="left_semi")
        source = self._sources[table.name]
        raw = _raw(self._spark, source, {**self._options, **LOOKED_UP})
        rows = _typed(raw.select(*_renamed(table, source)), table)
        return lookup(keys, rows, key)


def _refuse(problems: Sequence[str], what: str = "") -> None:
    if problems:
        raise BadRequest(f"the sources lack {what}{'; '.join(problems)}: correct `sources` in the configuration")


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
    missing = [name for name in _deployed_names(table, source).values() if name not in raw.columns]
    if missing:
        problems.append(f"{table.name} ({place} has no column {', '.join(missing)})")
        return None
    return _typed(raw.select(*_renamed(table, source)), table)


def _renamed(table: SourceTable, source: settings.Source) -> list[Column]:
    """The columns of the schema under their names in the schema."""
    return [F.col(f"`{name}`").alias(ours) for ours, name in _deployed_names(table, source).items()]


def _deployed_names(table: SourceTable, source: settings.Source) -> dict[str, str]:
    return {field.name: deployed_name(table, source, field.name) for field in fields(table)}


def _changed_at(table: SourceTable, source: settings.Source) -> Column:
    nothing = F.lit(None).cast("timestamp")
    known = [F.expr(f"try_cast(`{source.changed_at}` as timestamp)")] if source.changed_at else []
    if source.format == CASSANDRA:
        dates = [F.col(f"`{deployed_name(table, source, name)}`") for name in table.dated]
        written = [F.expr(f"writetime(`{deployed_name(table, source, name)}`)") for name in table.written]
        known += [date.cast("timestamp") for date in dates] + [F.timestamp_micros(micros) for micros in written]
    return F.greatest(nothing, nothing, *known)  # nulls are passed over


def deployed_name(table: SourceTable, source: settings.Source, column: str) -> str:
    """The name of a column where it is deployed: as mapped in the settings, else as Sunbird has it."""
    return source.columns.get(column, table.columns.get(column, column))


def first_line(error: PySparkException) -> str:
    """What Spark says of an error, without the plan and the stack that follow."""
    return str(error).strip().splitlines()[0].rstrip(".:;")


def _raw(spark: SparkSession, source: settings.Source, cassandra_options: Mapping[str, str]) -> DataFrame:
    if source.format == CASSANDRA:
        place = {"keyspace": source.keyspace or "", "table": source.table or ""}
        return (
            spark.read.format(CASSANDRA_FORMAT)
            .options(**{**SCANNED, **cassandra_options, **place, **source.options})
            .load()
        )
    given = {"csv": {"header": "true"}, "json": {"primitivesAsString": "true"}, "parquet": {}}[source.format]
    return spark.read.format(source.format).options(**{**given, **source.options}).load(source.path)


def _typed(raw: DataFrame, table: SourceTable, *further: str) -> DataFrame:
    """The columns in their declared types, and `further` ones as they are."""
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
    return raw.select(*(value.alias(name) for name, value in readable.items()), *further)
