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
        column_metadata: list[Column] | None

        def recv_results_metadata(self, f: Any, types: Any) -> None:
            super().recv_results_metadata(f, types)
            if self.column_metadata:  # some servers send the columns with every answer, others when it is prepared
                self.column_metadata = _left(self.column_metadata)

        def recv_results_rows(self, f: Any, version: int, types: Any, columns: list[Column], policy: Any) -> None:
            super().recv_results_rows(f, version, types, _left(columns), policy)

    class LeavingMaps(ProtocolHandler):  # type: ignore[misc]
        message_types_by_opcode = {**ProtocolHandler.message_types_by_opcode, Rows.opcode: Rows}  # noqa: RUF012

    def _left(columns: list[Column]) -> list[Column]:
        return [
            (keyspace, table, name, BytesType)
            if (keyspace, table) in tables and _is_map_of_numbers(kind)
            else (keyspace, table, name, kind)
            for keyspace, table, name, kind in columns
        ]

    return LeavingMaps


def _is_map_of_numbers(kind: Any) -> bool:
    return issubclass(kind, MapType) and issubclass(kind.subtypes[1], DoubleType | DateType)
