"""The bytes of values in Cassandra's native protocol, version 4."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

_EPOCH_DAY = 2**31  # 1970-01-01 as the protocol counts days, which are never negative there


def bigint(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def double(value: float) -> bytes:
    return struct.pack(">d", value)


def count(number: int) -> bytes:
    """How many entries follow, or how many bytes."""
    return number.to_bytes(4, "big")


def with_length(text: bytes) -> bytes:
    return count(len(text)) + text


def names_set(names: Sequence[bytes]) -> bytes:
    """A set of texts."""
    return b"".join([count(len(names)), *map(with_length, names)])


def texts(column: pa.Array) -> list[Any]:
    """Each text as bytes, None where there is none."""
    found: list[Any] = column.cast(pa.binary()).to_pylist()
    return found


def keys(changes: pa.RecordBatch, key: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
    """The values of the key of each row; its columns are texts, ints or dates."""
    return zip(*(_key_values(changes.column(column)) for column in key), strict=True)


def _key_values(column: pa.Array) -> list[Any]:
    if pa.types.is_int32(column.type):
        return [value.to_bytes(4, "big", signed=True) for value in column.to_pylist()]
    if pa.types.is_date32(column.type):
        return [(days + _EPOCH_DAY).to_bytes(4, "big") for days in column.cast(pa.int32()).to_pylist()]
    return texts(column)
