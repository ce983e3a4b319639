"""Staged change sets, read without Spark: the rows that a run changed most."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

_BATCH_ROWS = 20_000  # held at once, whatever the size of the change set


@dataclass(frozen=True)
class Entry:
    """One metric of a changed row; None where it was not there before, or is not any more."""

    metric: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float:
        """How far the value moved, an entry that is not there counting as 0."""
        return abs((self.after or 0.0) - (self.before or 0.0))


@dataclass(frozen=True)
class ChangedRow:
    """A changed row with its changed metrics, the one that moved furthest first."""

    key: tuple[str, ...]
    entries: tuple[Entry, ...]


def local_changes(staging_dir: str, table: str) -> Path | None:
    """The folder of a table's change set, or None where it is gone or on another file system than this machine's."""
    place = urlparse(staging_dir)
    if not staging_dir or place.scheme not in ("", "file"):
        return None
    folder = Path(unquote(place.path)) / "changes" / table
    return folder if folder.is_dir() else None


def largest_changes(folder: Path, key: Sequence[str], most: int) -> list[ChangedRow]:
    """The `most` rows in which a metric moved furthest, largest first; memory holds one batch and those."""
    largest: list[tuple[float, int, ChangedRow]] = []
    ties = count()
    changes = ds.dataset(folder, format="parquet")
    columns = [*key, "to_set", "to_remove", "was"]
    for batch in changes.to_batches(columns=columns, filter=ds.field("is_changed"), batch_size=_BATCH_ROWS):
        if not batch.num_rows:
            continue
        moved = _furthest_moves(batch)
        best = pc.select_k_unstable(moved, min(most, len(moved)), [("furthest", "descending")])
        for place in best.to_pylist():
            row = batch.slice(moved["row"][place].as_py(), 1).to_pylist()[0]
            item = (moved["furthest"][place].as_py(), -next(ties), _changed(row, key))
            (heapq.heappush if len(largest) < most else heapq.heappushpop)(largest, item)
    return [row for _, _, row in sorted(largest, reverse=True)]


def _furthest_moves(batch: pa.RecordBatch) -> pa.Table:
    """(row, furthest): by position in the batch, how far the metric moved that moved furthest."""
    values = pa.concat_tables([_entries(batch["to_set"], 1.0), _entries(batch["was"], -1.0)])
    by_metric = values.group_by(["row", "metric"]).aggregate([("value", "sum")])
    moved = pa.table({"row": by_metric["row"], "move": pc.abs(by_metric["value_sum"])})
    return moved.group_by("row").aggregate([("move", "max")]).rename_columns({"move_max": "furthest"})


def _entries(maps: pa.MapArray, sign: float) -> pa.Table:
    """(row, metric, value) of every entry of a column of maps, the values times `sign`."""
    offsets = maps.offsets.to_numpy()
    first, last = offsets[0], offsets[-1]
    values = maps.items[first:last].cast(pa.float64())
    rows = np.repeat(np.arange(len(maps)), np.diff(offsets))
    return pa.table({"row": rows, "metric": maps.keys[first:last], "value": pc.multiply(values, sign)})


def _changed(row: dict[str, Any], key: Sequence[str]) -> ChangedRow:
    was, to_set = dict(row["was"]), dict(row["to_set"])
    entries = [Entry(name, was.get(name), to_set.get(name)) for name in {*to_set, *row["to_remove"]}]
    entries.sort(key=lambda entry: (-entry.difference, entry.metric))
    return ChangedRow(tuple(row[column] for column in key), tuple(entries))
