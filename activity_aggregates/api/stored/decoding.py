"""What the driver makes of an answer of the store.

The maps of metrics stay bytes, which `maps` reads faster. An instant of a user that Python's calendar does not have is
absent: the driver's own type would end the connection over it, and every read that is under way there.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from cassandra.cqltypes import (
    BytesType,
    DateType,
    DoubleType,
    ListType,
    LongType,
    MapType,
    SetType,
    TimeUUIDType,
    TupleType,
    UserType,
)
from cassandra.protocol import ProtocolHandler, ResultMessage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Column = tuple[str, str, str, Any]  # keyspace, table, name, type


def leaving_maps(tables: Collection[tuple[str, str]], users: tuple[str, str] | None) -> type[ProtocolHandler]:
    """The driver's own protocol but for maps of numbers in some tables and the instants of users; by (keyspace, table).

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
        return [(keyspace, table, name, _kind((keyspace, table), kind)) for keyspace, table, name, kind in columns]

    def _kind(table: tuple[str, str], kind: Any) -> Any:
        if table in tables and _is_map_of_numbers(kind):
            return BytesType
        return _with_instants(kind) if table == users else kind

    return LeavingMaps


class Instant(LongType):  # type: ignore[misc]
    """Milliseconds since the epoch, shown as the instant where there is one."""

    @staticmethod
    def deserialize(byts: bytes, protocol_version: int) -> datetime | None:
        milliseconds = LongType.deserialize(byts, protocol_version)
        try:
            return EPOCH + timedelta(milliseconds=milliseconds)
        except OverflowError:
            return None


def _with_instants(kind: Any) -> Any:
    """A type with Instant in place of the driver's own, also in collections and in types of the user's own."""
    if issubclass(kind, TimeUUIDType):  # which the driver derives from its DateType
        return kind
    if issubclass(kind, DateType):
        return Instant
    if issubclass(kind, UserType):
        return type(kind.__name__, (kind,), {"subtypes": tuple(map(_with_instants, kind.subtypes))})
    if issubclass(kind, ListType | SetType | MapType | TupleType):
        return kind.apply_parameters([_with_instants(part) for part in kind.subtypes])
    return kind


def _is_map_of_numbers(kind: Any) -> bool:
    return issubclass(kind, MapType) and issubclass(kind.subtypes[1], DoubleType | DateType)
