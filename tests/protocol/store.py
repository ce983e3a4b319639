"""A small store with Cassandra's cell rules: write times, removals, time to live, lightweight transactions.

It understands the statements of the lease and of the ledger, and nothing else.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

KEYS = {
    "aggregate_lease": ("name",),
    "aggregate_runs": ("year", "started_at", "run_id"),
}
_NEWEST_FIRST = "started_at"
_STATEMENT = re.compile(
    r"(?P<verb>INSERT INTO|UPDATE|DELETE FROM|SELECT (?P<selected>.+?) FROM) \w+\.(?P<table>\w+)"
    r"(?: \((?P<columns>[^)]*)\) VALUES \((?:%s|\?)(?:, (?:%s|\?))*\))?"
    r"(?P<absent> IF NOT EXISTS)?(?P<using> USING (?:TTL|TIMESTAMP) (?:%s|\?))?"
    r"(?: SET (?P<set>.+?))?(?: WHERE (?P<where>.+?))?(?: IF (?P<condition>\w+) = %s)?"
)
_COLUMN = re.compile(r"(\w+) = (?:%s|\?)")
_EXPRESSION = re.compile(r"(?:(?P<function>\w+)\((?P<of>\w+)\) AS (?P<name>\w+)|(?P<column>\w+))")


class Cell(NamedTuple):
    """A value, or None for a removal."""

    value: Any
    written: int
    expires: float | None = None


@dataclass
class Table:
    """Cells by key and column; who writes last wins, at the same time a removal, then the larger bytes."""

    rows: dict[tuple[Any, ...], dict[str, Cell]] = field(default_factory=dict)
    partitions: dict[Any, list[tuple[Any, ...]]] = field(default_factory=dict)  # the keys of rows by their first column
    seen: dict[Any, dict[Any, Row]] = field(default_factory=dict)  # by columns and key: rows read that never expire

    def write(
        self, key: tuple[Any, ...], columns: Mapping[str, Any], written: int, expires: float | None = None
    ) -> None:
        """Set columns, or remove those that are None."""
        cells = self.rows.get(key)
        if cells is None:
            cells = self.rows[key] = {}
            self.partitions.setdefault(key[0], []).append(key)
        for seen in self.seen.values():
            seen.pop(key, None)
        for column, value in columns.items():
            new = tuple(sorted(value)) if isinstance(value, set) else value  # sets are stored in order
            old = cells.get(column)
            if old is None or written > old.written or (written == old.written and _rank(new) > _rank(old.value)):
                cells[column] = Cell(new, written, expires)

    def live(self, key: tuple[Any, ...], now: float) -> dict[str, Cell]:
        """The cells that are neither removed nor expired."""
        cells = self.rows.get(key, {})
        return {
            name: cell
            for name, cell in cells.items()
            if cell.value is not None and (cell.expires is None or cell.expires > int(now))
        }

    def values(self, now: float) -> dict[tuple[Any, ...], dict[str, Any]]:
        """The rows that have a live cell, and their values."""
        rows = {key: {name: cell.value for name, cell in self.live(key, now).items()} for key in self.rows}
        return {key: values for key, values in rows.items() if values}


def _rank(value: Any) -> tuple[bool, bytes]:
    """Of cells that were written at the same time: a removal, else whose bytes are larger, also of numbers below 0."""
    match value:
        case None:
            return True, b""
        case float():
            return False, struct.pack(">d", value)
        case int():
            return False, struct.pack(">q", value)
        case _:
            return False, str(value).encode()


class Row:
    """A row of an answer."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def _asdict(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Answer(list[Row]):
    """Rows, or whether a transaction was applied."""

    was_applied = True

    def one(self) -> Row | None:
        return self[0] if self else None


def _refused() -> Answer:
    answer = Answer()
    answer.was_applied = False
    return answer


@dataclass(frozen=True)
class _Parsed:
    verb: str
    table: str
    columns: tuple[str, ...]
    where: tuple[str, ...]
    selected: tuple[tuple[str, str, str], ...]
    using: str
    is_absent: bool
    condition: str | None


@cache
def _parsed(text: str) -> _Parsed:
    found = _STATEMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"the twin does not know {text!r}")
    columns = found["columns"].split(", ") if found["columns"] else _COLUMN.findall(found["set"] or "")
    selected = [_EXPRESSION.match(part) for part in (found["selected"] or "").split(", ") if part]
    return _Parsed(
        found["verb"].split()[0], found["table"], tuple(columns), tuple(_COLUMN.findall(found["where"] or "")),
        tuple((m["function"] or "", m["of"] or m["column"], m["name"] or m["column"]) for m in selected if m),
        (found["using"] or "").strip(), bool(found["absent"]), found["condition"],
    )  # fmt: skip


@dataclass
class Store:
    """The tables of the protocol by name, and of the aggregates; its own clock is what `now` returns, in seconds."""

    now: Callable[[], float]
    tables: defaultdict[str, Table] = field(default_factory=lambda: defaultdict(Table))
    transactions: int = 0  # their ballots are times that never come back
    holders: list[str] = field(default_factory=list)

    def table(self, name: str) -> Table:
        return self.tables[name]

    def execute(self, text: str, values: Sequence[Any]) -> Answer:
        if "system.local" in text:
            return Answer([Row({"ms": int(self.now() * 1000)})])
        statement = _parsed(text)
        given = iter(values)
        if statement.verb == "SELECT":
            return self._select(statement, dict(zip(statement.where, given, strict=False)))
        if statement.verb == "INSERT":
            row = dict(zip(statement.columns, given, strict=False))
            return self._insert(statement, row, next(given, None))
        return self._change(statement, given)

    def _select(self, statement: _Parsed, where: Mapping[str, Any]) -> Answer:
        """Of a partition, or of the whole table: nobody asks for less or more."""
        table, columns = self.table(statement.table), KEYS[statement.table]
        found = table.partitions.get(where[columns[0]], []) if where else list(table.rows)
        if _NEWEST_FIRST in columns:
            found = sorted(found, key=itemgetter(columns.index(_NEWEST_FIRST)), reverse=True)
        seen = table.seen.setdefault(statement.selected, {})
        read = [seen.get(key) or self._read(statement, table, key) for key in found]
        return Answer([row for row in read if row is not None])

    def _read(self, statement: _Parsed, table: Table, key: tuple[Any, ...]) -> Row | None:
        identity = dict(zip(KEYS[statement.table], key, strict=True))
        cells = table.live(key, self.now())
        if not cells:
            return None
        row = Row(dict(self._chosen(statement, identity, cells)))
        if all(cell.expires is None for cell in cells.values()):
            table.seen[statement.selected][key] = row
        return row

    def _chosen(
        self, statement: _Parsed, identity: Mapping[str, Any], cells: Mapping[str, Cell]
    ) -> Iterator[tuple[str, Any]]:
        for function, column, name in statement.selected:
            cell = cells.get(column)
            if not function:
                yield name, cell.value if cell else identity.get(column)
            elif function == "TTL":
                yield name, int(cell.expires - int(self.now())) if cell and cell.expires is not None else None
            else:
                yield name, cell.written if cell else None

    def _insert(self, statement: _Parsed, row: dict[str, Any], using: Any) -> Answer:
        table = self.table(statement.table)
        key = tuple(row.pop(name) for name in KEYS[statement.table])
        if statement.is_absent and table.live(key, self.now()):
            return _refused()
        written = using if "TIMESTAMP" in statement.using else self._ballot()
        expires = int(self.now()) + using if "TTL" in statement.using else None
        table.write(key, row, written, expires)
        if statement.is_absent:
            self.holders.append(row["holder"])
        return Answer()

    def _change(self, statement: _Parsed, given: Iterator[Any]) -> Answer:
        """A conditional UPDATE or DELETE: the protocol has no other."""
        ttl = next(given) if "TTL" in statement.using else None
        row = {column: next(given) for column in statement.columns}
        key = tuple(next(given) for _ in statement.where)
        table = self.table(statement.table)
        held = table.live(key, self.now()).get(statement.condition or "")
        if held is None or held.value != next(given):
            return _refused()
        written = self._ballot()
        expires = None if ttl is None else int(self.now()) + ttl
        table.write(key, row or dict.fromkeys(table.rows[key]), written, expires)
        return Answer()

    def _ballot(self) -> int:
        self.transactions += 1
        return int(self.now() * 1_000_000) + self.transactions
