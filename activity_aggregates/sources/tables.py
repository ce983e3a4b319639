"""The sources, opened: their rows as the metrics take them, with nobody in them who was erased."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, reduce
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.beyond import is_date_beyond
from activity_aggregates.sources.changed_at import cannot_tell, says_nothing
from activity_aggregates.sources.declarations import (
    ATTEMPTS,
    BATCHES,
    ENROLMENT_DATES,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    PROGRESS,
    SOURCE_TABLES,
    TIMESPENT,
    SourceTable,
    fields,
)
from activity_aggregates.sources.deployed import deployed_name
from activity_aggregates.sources.erased_rows import USER_ID, erased_rows, without_users
from activity_aggregates.sources.opened import Access, Keep, OpenedSource, opened
from activity_aggregates.store.connection import Connection
from activity_aggregates.store.erased import Erased
from metrics.trees.courses import CHANGED_AT

__all__ = [
    "ATTEMPTS", "BATCHES", "ENROLMENTS", "ENROLMENT_DATES", "GROUPS", "GROUP_ATTEMPTS", "GROUP_MEMBERS", "HIERARCHIES",
    "PROGRESS", "SOURCE_TABLES", "TIMESPENT", "SourceTable", "Sources", "deployed_name", "despite_dates", "fields",
]  # fmt: skip

T = TypeVar("T")


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
        *,
        connection: Connection | None = None,
        keep: Keep | None = None,
        are_few: bool = False,
    ) -> None:
        """Raises BadRequest with one message that lists every table and column that is missing of `tables`.

        The ids of erased learners are not looked for in tables that are read for the learners of others only. Without a
        `connection` dates that Spark cannot hold end a run, and write times of lists are not looked at. Where the rows
        `are_few`, one task reads a source: its start costs more than the rows.
        """
        problems: list[str] = []
        self._spark = spark
        self._erased = erased
        self._keep = keep or (lambda rows, _: rows.persist())
        self._not_looked_through = {table.name for table in not_looked_through}
        self._opened: dict[str, OpenedSource] = {}
        self._as_numbers = False
        self._are_few = are_few
        access = Access(spark=spark, options=cassandra_options, connection=connection)
        for table in tables:
            source: settings.Source | None = getattr(sources, table.name)
            if source is not None and (found := opened(access, table, source, problems)):
                self._opened[table.name] = found
        _refuse(problems)

    def has(self, table: SourceTable) -> bool:
        return table.name in self._opened

    @property
    def absent_columns(self) -> dict[str, tuple[str, ...]]:
        """The optional columns that are not deployed or left out by the settings, by our names, of each such source.

        They are null in the rows, and the metrics that rest on them are absent.
        """
        return {name: source.absent for name, source in self._opened.items() if source.absent}

    def frame(self, table: SourceTable) -> DataFrame:
        """The rows of a source, of exactly its `frame_schema`; no rows where it is not configured."""
        if table.name not in self._opened:
            return self._spark.createDataFrame([], table.frame_schema)
        return self._without_erased(self._rows(table))

    def _rows(self, table: SourceTable) -> DataFrame:
        """Those of everybody, erased or not."""
        return self._in_tasks(self._opened[table.name].rows(self._as_numbers))

    def _in_tasks(self, rows: DataFrame) -> DataFrame:
        return rows.coalesce(1) if self._are_few else rows

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
        looked_through = [source for name, source in self._opened.items() if name not in self._not_looked_through]
        ids = [source.rows(False).select(USER_ID) for source in looked_through if USER_ID in source.columns]
        users = self._keep(erased_rows(reduce(DataFrame.union, ids).distinct(), self._erased), "erased-users")
        return None if users.isEmpty() else users

    def of_erased(self, table: SourceTable) -> DataFrame | None:
        """The rows of erased learners, which `frame` leaves out; None where the sources name none."""
        if table.name not in self._opened or self.erased_users is None:
            return None
        return self._rows(table).join(self.erased_users, USER_ID, how="left_semi")

    def with_dates_as_numbers(self) -> Sources:
        """The same sources, whole, where dates that Spark cannot hold end nothing: their rows have `has_invalid_date`.

        Each source is first looked through for such dates, and only those that have one are read in the slower way.
        """
        view = copy(self)
        view._as_numbers = True
        return view

    def dated(self, table: SourceTable) -> DataFrame:
        """The rows with `changed_at`, the latest that is known of a row's changes; null where nothing is.

        Known are write times in Cassandra, of the columns that are read, and dates in the row; of a file only the
        column that `changed_at` of the source names. `check_dated` says whether that is enough.
        """
        if not self.has(table):
            return self._spark.createDataFrame([], f"{table.frame_schema}, {CHANGED_AT} timestamp")
        return self._without_erased(self._in_tasks(self._opened[table.name].dated(self._as_numbers)))

    def check_dated(self, tables: Sequence[SourceTable]) -> None:
        """Raises BadRequest where a source cannot tell when its rows were changed, and has to."""
        found = [self._opened[table.name] for table in tables if self.has(table)]
        told = [(source.table.name, cannot_tell(source.table, source.source, source.raw.columns)) for source in found]
        problems = [f"{name} ({problem})" for name, problem in told if problem]
        _refuse(problems, "what an incremental run needs to see changes in ")

    def tells_nothing_of_changes(self, table: SourceTable) -> bool:
        """Whether only full runs look at a source, as it has no word of when its rows were changed and need not."""
        return table.may_be_undated and says_nothing(self._opened[table.name].source)

    def matching(self, table: SourceTable, keys: DataFrame, key: Sequence[str], by_lookup: bool) -> DataFrame:
        """The rows whose `key` is among the distinct `keys`.

        By lookup Cassandra is asked for each key, which has to begin with the whole partition key; otherwise, and from
        files, everything is scanned. What was looked up is kept.
        """
        if not (by_lookup and self.has(table) and self._opened[table.name].is_cassandra):
            return self.frame(table).join(keys, list(key), how="left_semi")
        return self._opened[table.name].of(keys, key, self._as_numbers, self._keep)


def despite_dates(sources: Sources, read: Callable[[Sources], T]) -> T:
    """What `read` makes of the sources; where a date is beyond what Spark can hold, it reads once more, more slowly."""
    try:
        return read(sources)
    except Exception as error:
        if not is_date_beyond(error):
            raise
    return read(sources.with_dates_as_numbers())


def _refuse(problems: Sequence[str], what: str = "") -> None:
    if problems:
        raise BadRequest(f"the sources lack {what}{'; '.join(problems)}: correct `sources` in the configuration")
