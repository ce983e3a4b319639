"""The source and target tables of the cases in Cassandra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cassandra.cluster import Session
from cassandra.metadata import TableMetadata
from cassandra.query import PreparedStatement

from tests.harness.errors import CaseError, unknown
from tests.harness.hierarchy import hierarchy_text
from tests.harness.values import Row, typed

HIERARCHIES = "content_hierarchy"
Snapshot = dict[str, list[Row]]


class Store:
    """The tables of some keyspaces by name, and what cases do with them."""

    def __init__(self, session: Session, keyspaces: Iterable[str]) -> None:
        """The tables in `keyspaces` as they are now."""
        self._session = session
        self._tables: dict[str, TableMetadata] = {}
        self._prepared: dict[str, PreparedStatement] = {}
        session.cluster.refresh_schema_metadata()  # the tables were made through other sessions
        for keyspace in keyspaces:
            self._tables.update(session.cluster.metadata.keyspaces[keyspace].tables)

    def places(self) -> list[tuple[str, str]]:
        """Keyspace and name of every table."""
        return [(table.keyspace_name, table.name) for table in self._tables.values()]

    def load(self, name: str, given: Any) -> None:
        """Upsert rows: only the columns that a row gives."""
        for row in self._given(name, given):
            self._insert(self._table(name), row)

    def delete(self, name: str, given: Any) -> None:
        """Delete rows by primary key."""
        table, key = self._table(name), self.key(name)
        for row in self._given(name, given):
            _require(name, key, row)
            self._execute(f"DELETE FROM {_full(table)} WHERE {_equals(key)}", row, key)

    def merge(self, name: str, given: Any) -> None:
        """Put entries into the maps of rows, as another writer of the same rows does."""
        table, key = self._table(name), self.key(name)
        for row in self._given(name, given):
            _require(name, key, row)
            maps = [column for column in row if column not in key]
            additions = ", ".join(f"{column} = {column} + ?" for column in maps)
            self._execute(f"UPDATE {_full(table)} SET {additions} WHERE {_equals(key)}", row, [*maps, *key])

    def key(self, name: str) -> list[str]:
        """The columns of the primary key."""
        return [column.name for column in self._table(name).primary_key]

    def expected(self, name: str, given: Any) -> list[Row]:
        """Rows that a case expects, in the form of `stored`."""
        return self._given(name, given)

    def stored(self, name: str) -> list[Row]:
        """All rows."""
        rows = self._session.execute(_all_rows(self._table(name)))
        return [self._typed(name, row._asdict()) for row in rows]

    def snapshot(self) -> Snapshot:
        """Every row of every table as it is, to be put back by `restore`."""
        found = {name: self._session.execute(_all_rows(table)) for name, table in self._tables.items()}
        return {name: [row._asdict() for row in rows] for name, rows in found.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Write the rows of a snapshot, as of now."""
        for name, rows in snapshot.items():
            for row in rows:
                self._insert(self._table(name), {column: value for column, value in row.items() if value is not None})

    def empty(self, keep: Iterable[str]) -> None:
        """Remove all rows of all tables but those to keep."""
        emptied = [table for name, table in self._tables.items() if name not in {*keep}]
        for answer in [self._session.execute_async(f"TRUNCATE {_full(table)}") for table in emptied]:
            answer.result()

    def _table(self, name: str) -> TableMetadata:
        if name not in self._tables:
            raise unknown("table", name, self._tables)
        return self._tables[name]

    def _given(self, name: str, given: Any) -> list[Row]:
        """The rows that a case gives for a table; the hierarchies are a mapping of identifiers to trees."""
        if name == HIERARCHIES and isinstance(given, Mapping):
            given = [{"identifier": course, "hierarchy": hierarchy_text(tree)} for course, tree in given.items()]
        if not isinstance(given, list) or not all(isinstance(row, Mapping) for row in given):
            raise CaseError(f"{name} has to be a list of rows, each a mapping, not {given!r}")
        return [self._typed(name, row) for row in given]

    def _typed(self, name: str, row: Mapping[str, Any]) -> Row:
        columns = self._table(name).columns
        for column in row:
            if column not in columns:
                raise unknown(f"column of {name}", column, columns)
        return {column: typed(value, columns[column].cql_type) for column, value in row.items()}

    def _insert(self, table: TableMetadata, row: Row) -> None:
        marks = ", ".join("?" for _ in row)
        self._execute(f"INSERT INTO {_full(table)} ({', '.join(row)}) VALUES ({marks})", row, list(row))

    def _execute(self, statement: str, row: Row, columns: Sequence[str]) -> None:
        prepared = self._prepared.get(statement) or self._session.prepare(statement)
        self._prepared[statement] = prepared
        try:
            bound = prepared.bind([row[column] for column in columns])
        except TypeError as error:
            raise CaseError(f"the row {row} does not fit its table: {error}") from error
        self._session.execute(bound)


def _full(table: TableMetadata) -> str:
    return f"{table.keyspace_name}.{table.name}"


def _all_rows(table: TableMetadata) -> str:
    """A query whose times are epoch milliseconds: the driver cannot hold every time that a column can."""
    times = (name for name, column in table.columns.items() if column.cql_type == "timestamp")
    numbers = dict.fromkeys(times, "toUnixTimestamp({0}) AS {0}")
    return f"SELECT {', '.join(numbers.get(name, '{0}').format(name) for name in table.columns)} FROM {_full(table)}"


def _equals(columns: Sequence[str]) -> str:
    return " AND ".join(f"{column} = ?" for column in columns)


def _require(name: str, key: Sequence[str], row: Row) -> None:
    if missing := [column for column in key if column not in row]:
        raise CaseError(f"the row {row} of {name} lacks {', '.join(missing)} of its key")
