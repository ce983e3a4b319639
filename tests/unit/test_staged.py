"""Reading staged change sets without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from activity_aggregates.changes.staged import ChangedRow, Entry, largest_changes, local_changes

_METRICS = pa.map_(pa.string(), pa.float64())
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "to_set": _METRICS,
        "to_remove": pa.list_(pa.string()),
        "was": _METRICS,
        "is_changed": pa.bool_(),
    }
)


def staged(folder: Path, *rows: dict[str, Any]) -> Path:
    defaults: dict[str, Any] = {"to_set": {}, "to_remove": [], "was": {}, "is_changed": True}
    values = [defaults | row for row in rows]
    plain = [row | {"to_set": list(row["to_set"].items()), "was": list(row["was"].items())} for row in values]
    pq.write_table(pa.Table.from_pylist(plain, SCHEMA), folder / "part-0.parquet")
    return folder


def test_the_row_whose_metric_moved_furthest_comes_first(tmp_path: Path) -> None:
    folder = staged(
        tmp_path,
        {"id": "few", "to_set": {"n": 12.0}, "was": {"n": 10.0}},
        {"id": "fell", "to_set": {"m": 1.0, "n": 5.0}, "was": {"m": 1.5, "n": 90.0}},
        {"id": "new", "to_set": {"n": 40.0}},
    )
    assert [row.key for row in largest_changes(folder, ["id"], 2)] == [("fell",), ("new",)]


def test_a_metric_that_is_removed_moves_to_nothing(tmp_path: Path) -> None:
    folder = staged(tmp_path, {"id": "gone", "to_remove": ["n"], "was": {"n": 7.0}})
    assert largest_changes(folder, ["id"], 5) == [ChangedRow(("gone",), (Entry("n", 7.0, None),))]


def test_rows_staged_only_for_the_groups_are_not_changes(tmp_path: Path) -> None:
    folder = staged(tmp_path, {"id": "same", "is_changed": False}, {"id": "other", "to_set": {"n": 1.0}})
    assert [row.key for row in largest_changes(folder, ["id"], 5)] == [("other",)]


def test_the_largest_of_several_files_are_found(tmp_path: Path) -> None:
    for number in range(3):
        (part := tmp_path / str(number)).mkdir()
        staged(part, *({"id": f"{number}.{n}", "to_set": {"n": float(10 * n + number)}} for n in range(9)))
    assert [row.key[0] for row in largest_changes(tmp_path, ["id"], 4)] == ["2.8", "1.8", "0.8", "2.7"]


def test_only_changes_on_this_machine_are_found(tmp_path: Path) -> None:
    (tmp_path / "a run" / "changes" / "activity_agg").mkdir(parents=True)
    assert local_changes(f"file:{tmp_path}/a%20run", "activity_agg") == tmp_path / "a run" / "changes" / "activity_agg"
    assert local_changes(f"hdfs://cluster{tmp_path}/a run", "activity_agg") is None
    assert local_changes(f"file:{tmp_path}/pruned", "activity_agg") is None
    assert local_changes("", "activity_agg") is None
