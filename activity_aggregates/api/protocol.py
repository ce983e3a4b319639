"""What the driver makes of an answer of the store: the maps of metrics stay bytes, which `maps` reads faster."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cassandra.cqltypes import BytesType, DateType, DoubleType, MapType
from cassandra.protocol import ProtocolHandler, ResultMessage

Column = tuple[str, str, str, Any]  # keyspace, table, name, type


def leaving_maps(tables: Collection[tuple[str, str]]) -> type[ProtocolHandler]:
    """The driver's own protocol but for the maps of numbers in some tables, by (keyspace, table).

    The driver's maps cost an object, a decoding and a serialized key for each entry, in the one thread that serves all
    connections.
    """

    class Rows(ProtocolHandler.message_types_by_opcode[ResultMessage.opcode]):  # type: ignore[misc]
        def recv_results_rows(self, f: Any, version: int, types: Any, columns: list[Column], policy: Any) -> None:
            super().recv_results_rows(f, version, types, [_left(column) for column in columns], policy)

    class LeavingMaps(ProtocolHandler):  # type: ignore[misc]
        message_types_by_opcode = {**ProtocolHandler.message_types_by_opcode, Rows.opcode: Rows}  # noqa: RUF012

    def _left(column: Column) -> Column:
        keyspace, table, name, kind = column
        return (
            (keyspace, table, name, BytesType) if (keyspace, table) in tables and _is_map_of_numbers(kind) else column
        )

    return LeavingMaps


def _is_map_of_numbers(kind: Any) -> bool:
    return issubclass(kind, MapType) and kind.subtypes[1] in (DoubleType, DateType)
