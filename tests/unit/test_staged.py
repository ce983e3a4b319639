"""Reading staged change sets without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activity_aggregates.changes.staged import ChangedRow, Entry, largest_changes, local_changes
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, GROUP_ACTIVITY_AGG

_MAPS = {f"{prefix}entries": pa.map_(pa.string(), pa.float64()) for prefix in ("", "was_")}
_TEXTS = {f"{prefix}texts": pa.map_(pa.string(), pa.string()) for prefix in ("", "was_")}
SCHEMA = pa.schema(
    dict.fromkeys(("table", "activity_type", "activity_id", "context_id", "user_id"), pa.string())
    | dict.fromkeys(("m", "was_m", "n", "was_n", "completedOn", "was_completedOn"), pa.float64())
    | _MAPS | _TEXTS | {"is_changed": pa.bool_(), "newer": pa.int32()}
)  # fmt: skip
DEFAULTS: dict[str, Any] = {"table": "activity_agg", "activity_type": "Course", "context_id": "b", "is_changed": True}


def staged(folder: Path, *rows: dict[str, Any]) -> Path:
    plain = [DEFAULTS | row for row in rows]
    pq.write_table(pa.Table.from_pylist(plain, SCHEMA), folder / "part-0.parquet")
    return folder


def row(name: str, before: float | None, after: float | None, **further: Any) -> dict[str, Any]:
    return {"activity_id": name, "n": after, "was_n": before, **further}


def largest(folder: Path, most: int) -> list[str]:
    return [each.key[1] for each in largest_changes(folder, ACTIVITY_AGG, most)]


def test_of_a_folder_of_another_user_nothing_is_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "changes" / "others").mkdir(parents=True)
    assert local_changes(str(tmp_path), ACTIVITY_AGG) is not None

    def refuses(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuses)  # as below a folder of mode 700; who tests may be root
    assert local_changes(str(tmp_path), ACTIVITY_AGG) is None


def test_the_row_whose_metric_moved_furthest_comes_first(tmp_path: Path) -> None:
    folder = staged(tmp_path, row("few", 10, 12), row("fell", 90, 5, m=1.0, was_m=1.5), row("new", None, 40))
    assert largest(folder, 2) == ["fell", "new"]


def test_a_date_that_moved_counts_by_days_and_one_that_came_as_one(tmp_path: Path) -> None:
    later = {"completedOn": 1_767_312_000_000.0, "was_completedOn": 1_767_139_200_000.0}
    folder = staged(
        tmp_path,
        row("came", 7, 7, completedOn=1_767_139_200_000.0),
        row("two days", 7, 7, **later),
        row("five", 7, 12),
    )
    assert largest(folder, 3) == ["five", "two days", "came"]


def test_of_a_row_the_metrics_that_changed_are_shown_the_furthest_moved_first(tmp_path: Path) -> None:
    folder = staged(tmp_path, row("c1", 7, 7, m=1.0, was_m=1.5), row("c2", 7, None, m=2.0, was_m=3.0))
    assert largest_changes(folder, ACTIVITY_AGG, 5) == [
        ChangedRow(("Course", "c2", "b"), (Entry("n", 7.0, None), Entry("m", 3.0, 2.0))),
        ChangedRow(("Course", "c1", "b"), (Entry("m", 1.5, 1.0),)),
    ]


def test_entries_with_ids_in_their_names_are_changes_as_metrics_are(tmp_path: Path) -> None:
    maps = {"entries": [("score:A", 1.0), ("score:C", 9.0)], "was_entries": [("score:A", 1.0), ("score:B", 5.0)]}
    learner = row("c1", 2, 3, table="activity_user_agg", user_id="u1", **maps)
    folder = staged(tmp_path, learner, row("c2", 2, 10, table="activity_user_agg", user_id="u1"))
    found = largest_changes(folder, ACTIVITY_USER_AGG, 1)
    entries = (Entry("score:C", None, 9.0), Entry("score:B", 5.0, None), Entry("n", 2.0, 3.0))
    assert found == [ChangedRow(("Course", "c1", "u1", "b"), entries)]


def test_only_changed_rows_of_the_table_are_shown(tmp_path: Path) -> None:
    folder = staged(
        tmp_path, row("equal", 1, 9, is_changed=False), row("of another", 1, 9, table="activity_catalog"),
        row("other", 1, 2),
    )  # fmt: skip
    assert largest(folder, 5) == ["other"]


def test_of_a_unit_of_a_backfill_only_its_own_rows_are_shown(tmp_path: Path) -> None:
    one, other = row("one", 1, 2, context_id="b1"), row("other", 1, 9, context_id="b2")
    folder = staged(tmp_path, one, other, row("of a group", 1, 5, context_id=None))
    assert [each.key[1] for each in largest_changes(folder, ACTIVITY_AGG, 5, {"b1"})] == ["one"]
    assert [each.key[1] for each in largest_changes(folder, ACTIVITY_AGG, 5, set())] == ["of a group"]


def test_texts_are_not_numbers_that_move(tmp_path: Path) -> None:
    folder = staged(tmp_path, row("c1", 1, 2, texts=[("name", "new")], was_texts=[("name", "old")]))
    assert largest_changes(folder, ACTIVITY_AGG, 1)[0].entries == (Entry("n", 1.0, 2.0),)


def test_the_largest_of_several_files_are_found(tmp_path: Path) -> None:
    for number in range(3):
        (part := tmp_path / str(number)).mkdir()
        staged(part, *(row(f"{number}.{n}", None, float(10 * n + number)) for n in range(9)))
    assert largest(tmp_path, 4) == ["2.8", "1.8", "0.8", "2.7"]


def test_what_comes_moves_as_far_as_it_is_and_metrics_as_far_as_entries(tmp_path: Path) -> None:
    score = {"entries": [("score:A", 2.6)], "was_entries": [("score:A", 1.0)]}
    folder = staged(tmp_path, row("moved", 1, 2.5), row("score", 1, 1, **score), row("new", None, 2), row("far", 1, 4))
    assert largest(folder, 4) == ["far", "new", "score", "moved"]


def test_an_entry_that_comes_or_goes_moves_as_far_as_it_is(tmp_path: Path) -> None:
    came = {"entries": [("score:A", 1.9)], "was_entries": []}
    went = {"entries": [], "was_entries": [("score:A", 1.8)]}
    none: dict[str, Any] = {"entries": [], "was_entries": []}
    rows = [row("went", 1, 1, **went), row("moved", 1, 2.5), row("came", 1, 1, **came)]
    folder = staged(tmp_path, row("none", 1, 1.2, **none), row("half", 1, 1.5), *rows)
    assert largest(folder, 5) == ["came", "went", "moved", "half", "none"]


def test_a_date_that_is_in_neither_state_has_not_moved(tmp_path: Path) -> None:
    folder = staged(tmp_path, row("half", 1, 1.5), row("came", 1, 1, completedOn=1.0))
    assert largest(folder, 2) == ["came", "half"]


def test_of_rows_that_moved_equally_far_the_first_come_first(tmp_path: Path) -> None:
    folder = staged(tmp_path, *(row(f"{number:02d}", 1, 2 + number % 2) for number in range(60)))
    assert largest(folder, 5) == ["01", "03", "05", "07", "09"]


def test_a_file_without_rows_of_the_table_does_not_hide_those_of_the_next(tmp_path: Path) -> None:
    for number, table in enumerate(("activity_catalog", "activity_agg")):
        (part := tmp_path / str(number)).mkdir()
        staged(part, row("c1", 1, 2, table=table))
    assert largest(tmp_path, 5) == ["c1"]


def test_an_entry_that_goes_moves_as_far_as_it_was_and_a_date_by_one() -> None:
    assert Entry("completedCount", 5.0, None).difference == 5.0
    assert Entry("completedOn", 172_800_000.0, None).difference == 1.0


def test_only_changes_on_this_machine_are_found_in_the_part_of_their_table(tmp_path: Path) -> None:
    for part in ("learners", "others"):
        (tmp_path / "a run" / "changes" / part).mkdir(parents=True)
    run, changes = f"file:{tmp_path}/a%20run", tmp_path / "a run" / "changes"
    assert local_changes(run, ACTIVITY_USER_AGG) == changes / "learners"
    assert local_changes(run, ACTIVITY_AGG) == local_changes(run, GROUP_ACTIVITY_AGG) == changes / "others"
    assert local_changes(f"{tmp_path}/a%20run", ACTIVITY_AGG) == changes / "others"
    assert local_changes(f"hdfs://cluster{tmp_path}/a run", ACTIVITY_AGG) is None
    assert local_changes(f"file:{tmp_path}/pruned", ACTIVITY_AGG) is None
    assert local_changes("", ACTIVITY_AGG) is None
