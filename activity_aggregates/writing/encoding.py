"""Change sets as Cassandra's protocol wants them: the statement of each row and its values as bytes.

Encoding a record batch by columns costs a fraction of what the driver's own serialisation of Python maps does
(docs/writing.md). Everything here follows the native protocol, version 4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

# What the server counts for a cell in a batch beside its name and value, less what the protocol has in its place.
_CELL_BYTES = 12
_CACHED_SHAPES = 1024
_CACHED_NAMES = 32  # rows of more entries are too rare, and too large, to be kept
_DOUBLE_BYTES = 8
_LENGTH_OF_8 = _DOUBLE_BYTES.to_bytes(4, "big")


class Row(NamedTuple):
    """One row to write; `size` estimates its bytes as the server counts them."""

    statement: str
    values: list[bytes]
    size: int
    entries_set: int
    entries_removed: int


class _Shape(NamedTuple):
    """What rows that set the same metrics have in common: all but the values."""

    prefixes: list[bytes]
    dates: bytes


class EntriesEncoder(ABC):
    """Rows of (key…, to_set map, to_remove array<string>): entries that are set or removed one by one, in all `maps`.

    A whole map is never assigned, so no other writer's entry is lost.
    """

    def __init__(self, table: str, key: Sequence[str], maps: Sequence[str], write_time: int) -> None:
        adds = [f"{column} = {column} + ?" for column in maps]
        removes = [f"{column} = {column} - ?" for column in maps]
        self._key = key
        self._maps = maps
        self._sets = _update(table, adds, key)
        self._removes = _update(table, removes, key)
        self._does_both = _update(table, adds + removes, key)
        self._write_time = _bigint(write_time)

    @property
    def columns(self) -> tuple[str, ...]:
        return *self._key, "to_set", "to_remove"

    @property
    def statements(self) -> tuple[str, ...]:
        return self._sets, self._removes, self._does_both

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        """The rows of a record batch; one that neither sets nor removes anything has no statement and is left out."""
        to_set, to_remove = changes.column("to_set"), changes.column("to_remove")
        set_bounds, names, entries = _bounds(to_set), _texts(to_set.keys), self._encoded(to_set.items)
        remove_bounds, removed_names = _bounds(to_remove), _texts(to_remove.values)
        for at, key in enumerate(_keys(changes, self._key)):
            first, last = set_bounds[at], set_bounds[at + 1]
            removed = removed_names[remove_bounds[at] : remove_bounds[at + 1]]
            values = [self._write_time]
            if last > first:
                values += self._added(tuple(names[first:last]), entries, first)
            if removed:
                values += [_set(removed)] * len(self._maps)
            if len(values) > 1:
                statement = self._removes if last == first else self._does_both if removed else self._sets
                yield _row(statement, [*values, *key], last - first, len(removed))

    @abstractmethod
    def _encoded(self, entries: pa.Array) -> Any:
        """The values of all entries of a record batch, as `_added` takes them."""

    @abstractmethod
    def _added(self, names: tuple[bytes, ...], entries: Any, first: int) -> list[bytes]:
        """What is added to each of the maps: the entries of these names, from the `first` of all."""


class AggregateEncoder(EntriesEncoder):
    """Rows of metrics, which are doubles; each entry's date is set and removed with it."""

    def __init__(
        self, table: str, key: Sequence[str], agg: str, agg_last_updated: str, as_of_ms: int, write_time: int
    ) -> None:
        super().__init__(table, key, (agg, agg_last_updated), write_time)
        self._date = _LENGTH_OF_8 + _bigint(as_of_ms)
        self._known_shape = lru_cache(_CACHED_SHAPES)(self._shape)

    def _encoded(self, entries: pa.Array) -> bytes:
        return _doubles(entries)

    def _added(self, names: tuple[bytes, ...], entries: bytes, first: int) -> list[bytes]:
        shape = self._known_shape(names) if len(names) <= _CACHED_NAMES else self._shape(names)
        parts = [_count(names)]
        for entry, prefix in enumerate(shape.prefixes, start=first):
            parts.append(prefix)
            parts.append(entries[entry * _DOUBLE_BYTES : (entry + 1) * _DOUBLE_BYTES])
        return [b"".join(parts), shape.dates]

    def _shape(self, names: tuple[bytes, ...]) -> _Shape:
        prefixes = [_with_length(name) for name in names]
        dates = b"".join([_count(names), *(prefix + self._date for prefix in prefixes)])
        return _Shape([prefix + _LENGTH_OF_8 for prefix in prefixes], dates)


class MetadataEncoder(EntriesEncoder):
    """Rows of texts, in one map."""

    def __init__(self, table: str, key: Sequence[str], column: str, write_time: int) -> None:
        super().__init__(table, key, (column,), write_time)

    def _encoded(self, entries: pa.Array) -> list[bytes]:
        if entries.null_count:
            raise ValueError("the change set has an entry without a text")
        return _texts(entries)

    def _added(self, names: tuple[bytes, ...], entries: list[bytes], first: int) -> list[bytes]:
        texts = entries[first : first + len(names)]
        pairs = (_with_length(name) + _with_length(text) for name, text in zip(names, texts, strict=True))
        return [b"".join([_count(names), *pairs])]


class CatalogEncoder:
    """Rows of (key…, course_id string): the course that owns an activity in a context; null where the row goes."""

    def __init__(self, table: str, key: Sequence[str], write_time: int) -> None:
        self._key = key
        marks = ", ".join("?" for _ in self.columns)
        self._inserts = f"INSERT INTO {table} ({', '.join(self.columns)}) VALUES ({marks}) USING TIMESTAMP ?"
        self._deletes = f"DELETE FROM {table} USING TIMESTAMP ? WHERE {_is_row(key)}"
        self._write_time = _bigint(write_time)

    @property
    def columns(self) -> tuple[str, ...]:
        return *self._key, "course_id"

    @property
    def statements(self) -> tuple[str, ...]:
        return self._inserts, self._deletes

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        courses = _texts(changes.column("course_id"))
        for key, course_id in zip(_keys(changes, self._key), courses, strict=True):
            if course_id is None:
                yield _row(self._deletes, [self._write_time, *key], 0, 1)
            else:
                yield _row(self._inserts, [*key, course_id, self._write_time], 1, 0)


class DeleteEncoder:
    """Rows of (key…), which go as a whole, other writers' entries included."""

    def __init__(self, table: str, key: Sequence[str], write_time: int) -> None:
        self._key = key
        self._deletes = f"DELETE FROM {table} USING TIMESTAMP ? WHERE {_is_row(key)}"
        self._write_time = _bigint(write_time)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._key)

    @property
    def statements(self) -> tuple[str, ...]:
        return (self._deletes,)

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        for key in _keys(changes, self._key):
            yield _row(self._deletes, [self._write_time, *key], 0, 1)


def _update(table: str, assignments: Sequence[str], key: Sequence[str]) -> str:
    return f"UPDATE {table} USING TIMESTAMP ? SET {', '.join(assignments)} WHERE {_is_row(key)}"


def _is_row(key: Sequence[str]) -> str:
    return " AND ".join(f"{column} = ?" for column in key)


def _row(statement: str, values: list[bytes], entries_set: int, entries_removed: int) -> Row:
    cells = 2 * (entries_set + entries_removed)
    return Row(statement, values, sum(map(len, values)) + _CELL_BYTES * cells, entries_set, entries_removed)


def _keys(changes: pa.RecordBatch, key: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
    return zip(*(_key_values(changes.column(column)) for column in key), strict=True)


def _key_values(column: pa.Array) -> list[Any]:
    """The values of a column of a key, which is text or int."""
    if pa.types.is_int32(column.type):
        return [value.to_bytes(4, "big", signed=True) for value in column.to_pylist()]
    return _texts(column)


def _texts(column: pa.Array) -> list[Any]:
    texts: list[Any] = column.cast(pa.binary()).to_pylist()
    return texts


def _doubles(column: pa.Array) -> bytes:
    """All values, 8 bytes each; a null would be stored as an empty value that no reader expects."""
    if column.null_count:
        raise ValueError("the change set has a metric without a value")
    encoded: bytes = column.to_numpy(zero_copy_only=False).astype(">f8").tobytes()
    return encoded


def _bounds(column: pa.ListArray) -> list[int]:
    """Where the entries of each row begin among those of all rows, and where the last row's end."""
    bounds: list[int] = column.offsets.to_pylist()
    return bounds


def _set(names: Sequence[bytes]) -> bytes:
    return b"".join([_count(names), *map(_with_length, names)])


def _count(names: Sequence[bytes]) -> bytes:
    return len(names).to_bytes(4, "big")


def _with_length(name: bytes) -> bytes:
    return len(name).to_bytes(4, "big") + name


def _bigint(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)
