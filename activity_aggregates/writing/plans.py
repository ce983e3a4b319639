"""How staged rows are written: all that a task on an executor needs to know, and the encoders of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from activity_aggregates.store.connection import Connection
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.store.targets import TARGET_TABLES, TargetTable
from activity_aggregates.writing.encoding import (
    DeleteEncoder,
    Encoder,
    MetricsEncoder,
    PlainTextEncoder,
    TextsEncoder,
    Times,
)


@dataclass(frozen=True, kw_only=True)
class WriteLimits:
    """Bounds of one task, and `rows_per_second` of all tasks together; see `writes` in the settings."""

    batch_rows: int
    batch_bytes: int
    in_flight: int
    rows_per_second: float | None
    retry_seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where and how rows are written; it travels to the executors. Without a ticket no lease is asked for.

    `metrics` are the names of each table's metrics. With `deletes` whole rows go, whatever they hold.
    """

    connection: Connection
    keyspace: str
    deployed: Mapping[str, str]
    metrics: Mapping[str, tuple[str, ...]]
    maps: tuple[str, str]
    times: Times
    writes: WriteLimits
    ticket: LeaseTicket | None
    deletes: Mapping[str, tuple[str, ...]] | None = None

    def encoders(self) -> dict[str, Encoder]:
        """By the names of the tables."""
        if self.deletes is not None:
            return {name: DeleteEncoder(self._place(name), key, self.times) for name, key in self.deletes.items()}
        return {table.name: self._encoder(table) for table in TARGET_TABLES}

    def _encoder(self, table: TargetTable) -> Encoder:
        place = self._place(table.name)
        if not table.holds_texts:
            metrics = self.metrics[table.name]
            return MetricsEncoder(place, table.key, metrics, self.maps, table.has_entries, self.times)
        encoder = PlainTextEncoder if table.is_plain else TextsEncoder
        return encoder(place, table.key, table.column, self.times)

    def _place(self, table: str) -> str:
        return f"{self.keyspace}.{self.deployed[table]}"
