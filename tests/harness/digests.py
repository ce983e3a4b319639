"""What tables hold, as a text that is equal where they are equal."""

from __future__ import annotations

import hashlib
from typing import Any

from activity_aggregates.store.targets import TARGET_TABLES
from tests.harness.store import Store


def digests(store: Store) -> dict[str, str]:
    """Of every target table, its rows in the order of their keys."""
    return {table.name: _digest(store, table.name) for table in TARGET_TABLES}


def _digest(store: Store, table: str) -> str:
    """With the number of rows, which says most where two differ."""
    rows = sorted(repr(sorted((name, _plain(value)) for name, value in row.items())) for row in store.stored(table))
    return f"{len(rows)} rows, {hashlib.sha256(''.join(rows).encode()).hexdigest()[:16]}"


def _plain(value: Any) -> Any:
    return sorted(value.items()) if hasattr(value, "items") else value
