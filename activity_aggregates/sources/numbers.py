"""Reading a Cassandra table in Python workers, its dates as numbers: for tables with a date that Spark cannot hold.

Spark's connector turns every date into one of Java, and fails for the whole scan where one is beyond that. So tables in
which that happens, and only those, are read by the Python driver, which asks Cassandra for the milliseconds. Spark's
Python workers import this module, so it imports neither Spark nor the settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import pyarrow as pa
from cassandra.cluster import Session
from cassandra.metadata import protect_name
from cassandra.query import PreparedStatement

from activity_aggregates.retrying import retried
from activity_aggregates.store.connection import RETRY_SECONDS, Connection, open_session, prepared_reading, translated

_ROWS_IN_PAGE = 2000
_KEYS_AT_ONCE = 64
_TOKENS = 2**64


@dataclass(frozen=True)
class Columns:
    """A table, the CQL of the columns that are read with the Arrow types they get, and its partition key."""

    keyspace: str
    table: str
    selected: tuple[str, ...]
    types: pa.Schema
    partition_key: tuple[str, ...]

    @property
    def statement(self) -> str:
        place = f"{protect_name(self.keyspace)}.{protect_name(self.table)}"
        return f"SELECT {', '.join(self.selected)} FROM {place} WHERE "

    def of_tokens(self) -> str:
        token = f"token({', '.join(map(protect_name, self.partition_key))})"
        return f"{self.statement}{token} >= ? AND {token} <= ?"

    def of_key(self, key: Sequence[str]) -> str:
        return self.statement + " AND ".join(f"{protect_name(name)} = ?" for name in key)

    def batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        """Rows of one page."""
        columns = zip(*rows, strict=True) if rows else [()] * len(self.types)
        arrays = [pa.array(map(_plain, column), field.type) for column, field in zip(columns, self.types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.types)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it: a uuid as text, of a list of maps lists of pairs."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list):
        return [[*entry.items()] if hasattr(entry, "items") else entry for entry in value]
    return value


def rows_of_ranges(
    columns: Columns, connection: Connection, ranges: int, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The rows of the parts of the token ring whose numbers, below `ranges`, are given."""
    with _session(connection) as session:
        statement = _prepared(session, columns.of_tokens())
        for batch in batches:
            for number in batch.column(0).to_pylist():
                first, last = (_TOKENS * each // ranges - _TOKENS // 2 for each in (number, number + 1))
                for rows in _pages(session, statement, (first, last - 1)):
                    yield columns.batch(rows)


def rows_of_keys(
    columns: Columns, connection: Connection, key: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The rows of each key that is given; `key` are its names as deployed. A blank value names no row."""
    with _session(connection) as session:
        statement = _prepared(session, columns.of_key(key))
        for batch in batches:
            values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            keys = (each for each in values if all(each))
            while some := list(islice(keys, _KEYS_AT_ONCE)):
                yield columns.batch(retried(partial(_rows, session, statement, some), RETRY_SECONDS))


@contextmanager
def _session(connection: Connection) -> Iterator[Session]:
    with open_session(connection) as session:
        session.default_fetch_size = _ROWS_IN_PAGE
        yield session


def _prepared(session: Session, query: str) -> PreparedStatement:
    return retried(partial(prepared_reading, session, query), RETRY_SECONDS)


def _pages(session: Session, statement: PreparedStatement, values: Sequence[Any]) -> Iterator[list[Any]]:
    """The pages of one answer; each is asked for again while the store does not answer."""
    page, is_more = b"", True
    while is_more:
        rows, page = retried(partial(_page, session, statement, values, page or None), RETRY_SECONDS)
        is_more = bool(page)
        yield rows


def _page(
    session: Session, statement: PreparedStatement, values: Sequence[Any], page: bytes | None
) -> tuple[list[Any], bytes]:
    with translated():
        found = session.execute(statement, values, paging_state=page)
        return list(found.current_rows), found.paging_state or b""


def _rows(session: Session, statement: PreparedStatement, keys: Sequence[Sequence[Any]]) -> list[Any]:
    with translated():
        answers = [session.execute_async(statement, key) for key in keys]
        return [row for answer in answers for row in answer.result()]
