"""The rows of a target table as a person's own tools read them: a column for each entry, and maps as JSON in a CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from activity_aggregates.errors import BadRequest
from activity_aggregates.store.stored_rows import scores_in
from activity_aggregates.store.targets import TargetTable
from metrics.learners import ENTRIES
from metrics.predicates import is_served_activity, is_served_row

LAST_UPDATED = "_last_updated"  # behind the name of a metric: when it last changed
INSTANT = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"  # ISO-8601 with an offset, in the words of Spark


def metric_rows(
    rows: DataFrame, table: TargetTable, metrics: Sequence[str], has_scores: bool, has_dates: bool
) -> DataFrame:
    """(key…, a double for each metric, `ENTRIES`) of `as_stored`: the rows that have any of the job's own entries.

    `ENTRIES` are those with ids in their names, of tables that hold them and where the job `has_scores`; null for
    none. With `has_dates` each of these columns has another one behind all of them, in which `LAST_UPDATED` follows its
    name: a timestamp, of `ENTRIES` a map of timestamps. Raises BadRequest where two columns have one name.
    """
    served = rows.filter(is_served_row()) if "context_id" in table.key else rows
    values, dates = _entries("agg", metrics), _entries("dates", metrics)
    if table.has_entries and has_scores:
        values[ENTRIES], dates[ENTRIES] = scores_in("agg"), scores_in("dates")
    columns = values | ({name + LAST_UPDATED: date for name, date in dates.items()} if has_dates else {})
    _refuse_twins([*table.key, *columns])
    has_own = reduce(or_, (value.isNotNull() for value in values.values()))
    return served.filter(has_own).select(*table.key, *(column.alias(name) for name, column in columns.items()))


def text_rows(rows: DataFrame, table: TargetTable, owns: Callable[[Column], Column]) -> DataFrame:
    """(key…, the column of texts) of `as_stored`: the rows that have one, or a map with entries that the job `owns`."""
    column = F.col(table.column)
    if table.is_plain:
        return rows.filter(column.isNotNull())
    own = F.map_filter(column, lambda name, _: owns(name))
    return rows.filter(is_served_activity() & (F.size(own) > 0)).select(*table.key, own.alias(table.column))


def among(rows: DataFrame, contexts: Collection[str], activities: Iterable[tuple[str | None, str]]) -> DataFrame:
    """The rows of these contexts and activities, each (type or None for any, id); none given restricts nothing."""
    if contexts:
        rows = rows.filter(F.col("context_id").isin(*sorted(contexts)))
    by_type: dict[str | None, list[str]] = {}
    for kind, name in activities:
        by_type.setdefault(kind, []).append(name)
    return rows.filter(reduce(or_, (_is_one_of(kind, ids) for kind, ids in by_type.items()))) if by_type else rows


def with_maps_as_json(rows: DataFrame) -> DataFrame:
    """The same columns, maps as texts of JSON."""
    maps = [field.name for field in rows.schema.fields if isinstance(field.dataType, MapType)]
    return rows.withColumns({name: F.to_json(F.col(name), {"timestampFormat": INSTANT}) for name in maps})


def _entries(column: str, names: Iterable[str]) -> dict[str, Column]:
    return {name: F.col(column)[name] for name in names}


def _is_one_of(kind: str | None, ids: Iterable[str]) -> Column:
    has_id = F.col("activity_id").isin(*ids)
    return has_id if kind is None else (F.col("activity_type") == kind) & has_id


def _refuse_twins(names: Iterable[str]) -> None:
    """Names that differ in their case only are one to Spark."""
    twins = [name for name, times in Counter(name.lower() for name in names).items() if times > 1]
    if twins:
        raise BadRequest(
            f"two columns would be called {twins[0]}: leave out of metrics.carry the name that is one's already"
        )
