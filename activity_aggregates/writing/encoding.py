"""Staged rows as Cassandra's protocol wants them: the statement of each row and its values as bytes.

Encoding a record batch by columns costs a fraction of what the driver's own serialisation of Python maps does
(docs/writing.md). Everything here follows the native protocol, version 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from activity_aggregates.store.targets import TEXTS
from activity_aggregates.writing.wire import bigint, count, double, keys, names_set, with_length
from metrics.names import WAS

ENTRIES = "entries"
# What the server counts for a cell in a batch beside its name and value, less what the protocol has in its place.
_CELL_BYTES = 12
_DOUBLE_BYTES = 8
_LENGTH_OF_8 = _DOUBLE_BYTES.to_bytes(4, "big")


class Row(NamedTuple):
    """One row to write; `size` estimates its bytes as the server counts them."""

    statement: str
    values: list[bytes]
    size: int
    entries_set: int
    entries_removed: int


class Encoder(Protocol):
    """Encodes the rows of one table; `columns` are those of a record batch that it reads."""

    @property
    def columns(self) -> Sequence[str]: ...

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]: ...


@dataclass(frozen=True)
class Times:
    """The write time of every cell in µs, None to leave it to the store, and the as_of in ms that entries are dated."""

    write_time: int | None
    as_of_ms: int

    @property
    def using(self) -> str:
        return "" if self.write_time is None else " USING TIMESTAMP ?"

    @property
    def values(self) -> list[bytes]:
        return [] if self.write_time is None else [bigint(self.write_time)]


class MapStatements:
    """The statements that set and remove entries one by one, in all `maps` of a row.

    A whole map is never assigned, so no other writer's entry is lost.
    """

    def __init__(self, table: str, key: Sequence[str], maps: Sequence[str], times: Times) -> None:
        adds = [f"{column} = {column} + ?" for column in maps]
        removes = [f"{column} = {column} - ?" for column in maps]

        def update(assignments: Sequence[str]) -> str:
            return f"UPDATE {table}{times.using} SET {', '.join(assignments)} WHERE {_is_row(key)}"

        self.sets, self.removes, self.both = update(adds), update(removes), update(adds + removes)
        self._maps = len(maps)
        self._first = times.values

    def row(self, key: Sequence[bytes], added: Sequence[bytes], removed: Sequence[bytes], entries: int) -> Row:
        """`added` is what is added to each map, nothing where no entry is set; `removed` are names."""
        statement = self.both if added and removed else self.sets if added else self.removes
        values = [*self._first, *added]
        if removed:
            values += [names_set(removed)] * self._maps
        return _row(statement, [*values, *key], entries, len(removed))


class _Shape(NamedTuple):
    """What rows that set and remove the same metrics have in common."""

    template: np.ndarray[Any, Any]  # the bytes of the entries that are set, the values still missing
    places: tuple[tuple[str, int], ...]  # the metrics that are set, and where their values go
    dates: bytes
    removed: tuple[bytes, ...]


class MetricsEncoder:
    """Rows of (key…, metrics…, was_<metric>…) and, where there are any, maps of further entries in both states.

    An entry is set where it differs from what it was, and removed where it is no more; its date goes with it.
    """

    def __init__(
        self,
        table: str,
        key: Sequence[str],
        metrics: Sequence[str],
        maps: tuple[str, str],
        has_entries: bool,
        times: Times,
    ) -> None:
        self._key, self._metrics, self._has_entries = key, metrics, has_entries
        self._statements = MapStatements(table, key, maps, times)
        self._date = _LENGTH_OF_8 + bigint(times.as_of_ms)
        self._shapes: dict[int, _Shape] = {}

    @property
    def columns(self) -> Sequence[str]:
        further = [ENTRIES, WAS + ENTRIES] if self._has_entries else []
        return [*self._key, *self._metrics, *(WAS + name for name in self._metrics), *further]

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        """The rows of a record batch, those that change alike one after the other."""
        values = {name: _doubles(changes.column(name)) for name in self._metrics}
        codes, places = np.unique(self._codes(changes), axis=0, return_inverse=True)
        row_keys = list(keys(changes, self._key))
        further = self._further(changes)
        for kind, code in enumerate(codes):
            shape = self._shape(int.from_bytes(code.tobytes(), "little"))
            at = np.flatnonzero(places.reshape(-1) == kind)
            bodies = np.tile(shape.template, (len(at), 1))
            for name, place in shape.places:
                encoded = values[name][at].astype(">f8").view(np.uint8).reshape(len(at), _DOUBLE_BYTES)
                bodies[:, place : place + _DOUBLE_BYTES] = encoded
            for number, body in zip(at, bodies, strict=True):
                yield from self._rows(row_keys[number], shape, body.tobytes(), further.get(int(number), _NOTHING))

    def _codes(self, changes: pa.RecordBatch) -> np.ndarray[Any, Any]:
        """For each row, in bytes, two bits for each metric: whether it is set, whether it is removed."""
        bits = np.zeros((changes.num_rows, 2 * len(self._metrics)), np.bool_)
        for position, name in enumerate(self._metrics):
            after, was = changes.column(name), changes.column(WAS + name)
            will, stood = _valid(after), _valid(was)
            bits[:, 2 * position] = will & (~stood | (_doubles(after) != _doubles(was)))
            bits[:, 2 * position + 1] = ~will & stood
        return np.packbits(bits, axis=1, bitorder="little")

    def _shape(self, code: int) -> _Shape:
        if code not in self._shapes:
            to_set = [name for at, name in enumerate(self._metrics) if code >> (2 * at) & 1]
            removed = [name.encode() for at, name in enumerate(self._metrics) if code >> (2 * at + 1) & 1]
            template, places, dates = b"", [], b""
            for name in to_set:
                template += with_length(name.encode()) + _LENGTH_OF_8
                places.append((name, len(template)))
                template += bytes(_DOUBLE_BYTES)
                dates += with_length(name.encode()) + self._date
            self._shapes[code] = _Shape(np.frombuffer(template, np.uint8), tuple(places), dates, tuple(removed))
        return self._shapes[code]

    def _rows(self, key: tuple[bytes, ...], shape: _Shape, body: bytes, further: _Further) -> Iterator[Row]:
        to_set = len(shape.places) + len(further.to_set)
        removed = [*shape.removed, *further.removed]
        if not to_set and not removed:
            return
        added: list[bytes] = []
        if to_set:
            entries = b"".join(with_length(name) + _LENGTH_OF_8 + double(value) for name, value in further.to_set)
            dates = b"".join(with_length(name) + self._date for name, _ in further.to_set)
            added = [count(to_set) + body + entries, count(to_set) + shape.dates + dates]
        yield self._statements.row(key, added, removed, to_set)

    def _further(self, changes: pa.RecordBatch) -> dict[int, _Further]:
        """What changes in the maps of entries with ids in their names, by the number of the row."""
        if not self._has_entries:
            return {}
        will, was = changes.column(ENTRIES), changes.column(WAS + ENTRIES)
        rows = np.flatnonzero(_valid(will) | _valid(was))
        return {int(at): _differences(dict(will[at].as_py() or ()), dict(was[at].as_py() or ())) for at in rows}


class _Further(NamedTuple):
    to_set: Sequence[tuple[bytes, Any]]
    removed: Sequence[bytes]


_NOTHING = _Further((), ())


def _differences(will: Mapping[str, Any], was: Mapping[str, Any]) -> _Further:
    to_set = [(name.encode(), value) for name, value in sorted(will.items()) if was.get(name) != value]
    return _Further(to_set, [name.encode() for name in sorted(was) if name not in will])


class TextsEncoder:
    """Rows of (key…, texts, was_texts): entries of one map of texts."""

    def __init__(self, table: str, key: Sequence[str], column: str, times: Times) -> None:
        self._key = key
        self._statements = MapStatements(table, key, (column,), times)

    @property
    def columns(self) -> Sequence[str]:
        return [*self._key, TEXTS, WAS + TEXTS]

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        for key, differences in zip(keys(changes, self._key), _texts_that_differ(changes), strict=True):
            pairs = [with_length(name) + with_length(text.encode()) for name, text in differences.to_set]
            added = [b"".join([count(len(pairs)), *pairs])] if pairs else []
            if added or differences.removed:
                yield self._statements.row(key, added, differences.removed, len(pairs))


class PlainTextEncoder:
    """Rows of (key…, texts, was_texts) of a table whose rows have one text: the row is written, or goes."""

    def __init__(self, table: str, key: Sequence[str], column: str, times: Times) -> None:
        self._key = key
        columns = [*key, column]
        marks = ", ".join("?" for _ in columns)
        self._inserts = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}){times.using}"
        self._deletes = f"DELETE FROM {table}{times.using} WHERE {_is_row(key)}"
        self._times = times.values

    @property
    def columns(self) -> Sequence[str]:
        return [*self._key, TEXTS, WAS + TEXTS]

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        for key, differences in zip(keys(changes, self._key), _texts_that_differ(changes), strict=True):
            for _, text in differences.to_set:
                yield _row(self._inserts, [*key, text.encode(), *self._times], 1, 0)
            if differences.removed:
                yield _row(self._deletes, [*self._times, *key], 0, 1)


class DeleteEncoder:
    """Rows of (key…), which go as a whole, other writers' entries included."""

    def __init__(self, table: str, key: Sequence[str], times: Times) -> None:
        self._key = key
        self._deletes = f"DELETE FROM {table}{times.using} WHERE {_is_row(key)}"
        self._times = times.values

    @property
    def columns(self) -> Sequence[str]:
        return self._key

    def rows(self, changes: pa.RecordBatch) -> Iterator[Row]:
        for key in keys(changes, self._key):
            yield _row(self._deletes, [*self._times, *key], 0, 1)


def _texts_that_differ(changes: pa.RecordBatch) -> Iterator[_Further]:
    will, was = changes.column(TEXTS).to_pylist(), changes.column(WAS + TEXTS).to_pylist()
    return (_differences(dict(one or ()), dict(other or ())) for one, other in zip(will, was, strict=True))


def _doubles(column: pa.Array) -> np.ndarray[Any, Any]:
    """The values; NaN stands where there is none."""
    values: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return values


def _valid(column: pa.Array) -> np.ndarray[Any, Any]:
    valid: np.ndarray[Any, Any] = column.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _is_row(key: Iterable[str]) -> str:
    return " AND ".join(f"{column} = ?" for column in key)


def _row(statement: str, values: list[bytes], entries_set: int, entries_removed: int) -> Row:
    cells = 2 * (entries_set + entries_removed)
    return Row(statement, values, sum(map(len, values)) + _CELL_BYTES * cells, entries_set, entries_removed)
