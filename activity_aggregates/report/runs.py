"""Runs as text: in the types of JSON, in full, or as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from activity_aggregates.store.ledger import RunRecord


def as_plain(run: RunRecord) -> dict[str, Any]:
    """A record in the types of JSON, instants in ISO-8601."""
    values = asdict(run) | {"scope": json.loads(run.scope.to_json()), "settles": sorted(run.settles)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def in_full(run: RunRecord) -> str:
    """A line for each field, count and phase of a run."""
    plain = as_plain(run) | {"scope": run.scope.describe()}
    nested: dict[str, Mapping[str, float]] = {"counts": run.counts, "phases": run.phases}
    lines = [(name, value) for name, value in plain.items() if name not in nested and value is not None]
    for group, values in nested.items():
        lines += [(f"{group} {name}", value) for name, value in sorted(values.items())]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def as_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )
