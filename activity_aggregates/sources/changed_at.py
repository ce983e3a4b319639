"""When a row of a source was last changed, as far as the source can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cassandra import InvalidRequest
from cassandra.metadata import protect_name
from cassandra.protocol import SyntaxException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.sources.declarations import SourceTable
from activity_aggregates.sources.deployed import CASSANDRA, cql_place, deployed_name
from activity_aggregates.sources.typed import instant
from activity_aggregates.store.connection import Connection, open_session, prepared_reading
from metrics.trees.courses import CHANGED_AT

_WHOLE_DAY = r"^\s*\d{4}-\d{2}-\d{2}\s*$"
CHANGED_BY = "changed by"  # the column that the settings name as `changed_at`
WRITE_TIME = "write time of "  # and our name of a column: in µs, of a list one for each of its elements


def write_times(columns: Mapping[str, str], written: Iterable[str]) -> list[Column]:
    """The write times of the columns that are deployed, of a scan by Spark's connector."""
    here = [name for name in written if name in columns]
    return [F.expr(f"writetime(`{columns[name]}`)").alias(f"{WRITE_TIME}{name}") for name in here]


def changed_at(rows: DataFrame, dated: Sequence[str]) -> Column:
    """The latest of write times, dates in the row, and what the settings name; null where none is known."""
    kinds = dict(rows.dtypes)
    nothing = F.lit(None).cast("timestamp")
    known = [instant(name, kinds[name]) for name in dated if name in kinds]
    if CHANGED_BY in kinds:
        known.append(_latest_of_day(CHANGED_BY, kinds[CHANGED_BY]))
    for name, kind in kinds.items():
        if name.startswith(WRITE_TIME):
            micros = F.col(f"`{name}`") if kind == "bigint" else F.array_max(f"`{name}`")
            known.append(F.timestamp_micros(micros))
    return F.greatest(nothing, nothing, *known)  # nulls are passed over


def _latest_of_day(name: str, kind: str) -> Column:
    """A column as points in time; a whole day, which says no more, as its last one."""
    found = instant(name, kind)
    if kind not in ("date", "string"):
        return found
    is_day = F.lit(True) if kind == "date" else F.col(f"`{name}`").rlike(_WHOLE_DAY)
    return F.when(is_day, found + F.expr("interval 86399999 milliseconds")).otherwise(found)


def is_changed_since(since: datetime) -> Column:
    """Whether `changed_at` is at or after an instant; a row that does not say when it was changed may have been."""
    return F.coalesce(F.unix_millis(CHANGED_AT) >= F.lit(epoch_milliseconds(since)), F.lit(True))


def tells_write_time(connection: Connection, source: settings.Source, column: str) -> bool:
    """Whether the store knows when a list was written: Cassandra does from 5.0 on."""
    with open_session(connection) as session:
        try:
            prepared_reading(session, f"SELECT writetime({protect_name(column)}) FROM {cql_place(source)}")
        except (InvalidRequest, SyntaxException):
            return False
    return True


def says_nothing(source: settings.Source) -> bool:
    """Whether a source is a file without any word of when its rows were changed."""
    return source.format != CASSANDRA and source.changed_at is None


def cannot_tell(table: SourceTable, source: settings.Source, columns: Sequence[str]) -> str | None:
    """Why a source, with these columns as deployed, cannot say when its rows were changed."""
    if says_nothing(source):
        if table.may_be_undated:
            return None
        return f"{source.path} has no write times: name a column as changed_at"
    wanted = [source.changed_at] if source.changed_at else []
    if source.format == CASSANDRA:
        wanted += [deployed_name(table, source, name) for name in table.dated]
    missing = [name for name in wanted if name not in columns]
    return f"no column {', '.join(missing)}" if missing else None
