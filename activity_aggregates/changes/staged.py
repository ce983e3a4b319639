"""Staged change sets, read without Spark: the rows that a run changed most."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from activity_aggregates.changes.parts import part_of
from activity_aggregates.store.targets import TEXTS, TargetTable
from metrics.declarations import METRICS
from metrics.names import WAS

# What moves as far as one learner or one content: a day, an hour. A date that comes or goes moves as far as one.
DATE_METRICS = {metric.name for metric in METRICS if metric.unit == "epoch ms"}
ONE = dict.fromkeys(DATE_METRICS, 86_400_000) | {metric.name: 3600 for metric in METRICS if metric.unit == "seconds"}
_BATCH_ROWS = 20_000  # held at once, whatever the size of the change set


@dataclass(frozen=True)
class Entry:
    """One metric of a changed row; None where it was not there before, or is not any more."""

    metric: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float:
        """How far the value moved, an entry that is not there counting as 0; dates in days, lengths of time in hours.

        >>> Entry("completedCount", 2.0, 9.0).difference, Entry("timespent", None, 1800.0).difference
        (7.0, 0.5)
        >>> Entry("completedOn", 0.0, 172800000.0).difference, Entry("completedOn", None, 172800000.0).difference
        (2.0, 1.0)
        """
        if self.metric in DATE_METRICS and None in (self.before, self.after):
            return float(self.before != self.after)
        return abs((self.after or 0.0) - (self.before or 0.0)) / ONE.get(self.metric, 1)


@dataclass(frozen=True)
class ChangedRow:
    """A changed row with its changed metrics, the one that moved furthest first."""

    key: tuple[str, ...]
    entries: tuple[Entry, ...]


def local_changes(staging_dir: str, table: TargetTable) -> Path | None:
    """The folder where a table's rows are staged; None where it is gone, another user's, or on another file system."""
    place = urlparse(staging_dir)
    if not staging_dir or place.scheme not in ("", "file"):
        return None
    folder = Path(unquote(place.path)) / "changes" / part_of(table)
    try:
        return folder if folder.is_dir() and os.access(folder, os.R_OK) else None
    except PermissionError:
        return None


def largest_changes(folder: Path, table: TargetTable, most: int, contexts: Set[str] | None = None) -> list[ChangedRow]:
    """The `most` rows of a table in which a metric moved furthest, largest first; memory holds one batch and those.

    `contexts` are those of a unit of a backfill, whose rows lie among those of all units; none at all are of groups.
    """
    largest: list[tuple[float, int, ChangedRow]] = []
    ties = count()
    staged = ds.dataset(folder, format="parquet")
    metrics = [name for name in staged.schema.names if WAS + name in staged.schema.names and name != TEXTS]
    columns = [*table.key, *metrics, *(WAS + name for name in metrics)]
    is_its_own = ds.field("is_changed") & (ds.field("table") == table.name)
    if contexts is not None:
        context = ds.field("context_id")
        is_its_own &= context.isin(sorted(contexts)) if contexts else context.is_null()
    for batch in staged.to_batches(columns=columns, filter=is_its_own, batch_size=_BATCH_ROWS):
        if not batch.num_rows:
            continue
        moved = _furthest_moves(batch, metrics)
        for at in np.argsort(-moved, kind="stable")[:most]:
            row = batch.slice(int(at), 1).to_pylist()[0]
            item = (float(moved[at]), -next(ties), _changed(row, table.key, metrics))
            (heapq.heappush if len(largest) < most else heapq.heappushpop)(largest, item)
    return [row for _, _, row in sorted(largest, reverse=True)]


def _furthest_moves(batch: pa.RecordBatch, metrics: Sequence[str]) -> np.ndarray[Any, Any]:
    """By position in the batch, how far the metric moved that moved furthest."""
    furthest = np.zeros(batch.num_rows)
    for name in metrics:
        after, before = batch.column(name), batch.column(WAS + name)
        moved = _map_moves(after, before) if pa.types.is_map(after.type) else _moves(name, after, before)
        furthest = np.maximum(furthest, moved)
    return furthest


def _moves(name: str, after: pa.Array, before: pa.Array) -> np.ndarray[Any, Any]:
    """The `difference` of a metric by position."""
    moves: np.ndarray[Any, Any] = np.abs(_values(after) - _values(before)) / ONE.get(name, 1)
    if name in DATE_METRICS:
        is_here, was_here = (column.is_valid().to_numpy(zero_copy_only=False) for column in (after, before))
        moves = np.where(is_here & was_here, moves, (is_here != was_here).astype(float))
    return moves


def _values(column: pa.Array) -> np.ndarray[Any, Any]:
    """The values, an absent one as 0."""
    values: np.ndarray[Any, Any] = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
    return values


def _map_moves(after: pa.MapArray, before: pa.MapArray) -> np.ndarray[Any, Any]:
    """The furthest move of any entry of each row; no Python value is made of the rows that have no entries."""
    moves = np.zeros(len(after))
    for at in np.flatnonzero(pc.or_(after.is_valid(), before.is_valid()).to_numpy(zero_copy_only=False)):
        will, was = dict(after[int(at)].as_py() or ()), dict(before[int(at)].as_py() or ())
        moves[at] = max((abs(will.get(name, 0.0) - was.get(name, 0.0)) for name in {*will, *was}), default=0.0)
    return moves


def _changed(row: dict[str, Any], key: Sequence[str], metrics: Sequence[str]) -> ChangedRow:
    was, will = _entries(row, [WAS + name for name in metrics]), _entries(row, metrics)
    was = {name.removeprefix(WAS): value for name, value in was.items()}
    names = [name for name in {*was, *will} if was.get(name) != will.get(name)]
    entries = [Entry(name, was.get(name), will.get(name)) for name in names]
    entries.sort(key=lambda entry: (-entry.difference, entry.metric))
    return ChangedRow(tuple(str(row[column]) for column in key), tuple(entries))


def _entries(row: dict[str, Any], columns: Sequence[str]) -> dict[str, float]:
    """The metrics that a row has, and in their place the entries of its maps."""
    found: dict[str, float] = {}
    for name in columns:
        if isinstance(row[name], list):
            found |= dict(row[name])
        elif row[name] is not None:
            found[name] = row[name]
    return found
