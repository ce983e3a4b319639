"""Files as other tools write them: numbers beside nulls, columns without any value, folders of several kinds."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.tables import ENROLMENTS, GROUPS, HIERARCHIES, PROGRESS, TIMESPENT, Sources
from activity_aggregates.spark.session import translated_spark
from tests.harness.files import Opens, source

PLACED = {"userid": ["u1"], "courseid": ["c1"], "batchid": ["b1"]}


def parquet(path: Path, **columns: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)


def of_enrolments(opens: Opens, path: Path, *columns: str) -> list[tuple[Any, ...]]:
    rows = opens(enrolments=source(path, "parquet")).frame(ENROLMENTS).orderBy("user_id")
    return [tuple(row) for row in rows.selectExpr(*columns).collect()]


def test_ids_that_a_null_has_made_fractions_are_the_whole_numbers_again(opens: Opens, tmp_path: Path) -> None:
    parquet(
        tmp_path / "enrolments", **PLACED | {"userid": pa.array([1.0, None, 2.5, float(2**53)]),
        "courseid": ["c1"] * 4, "batchid": pa.array([126825.0] * 4), "active": [True] * 4, "status": [1] * 4},
        completedon=pa.nulls(4), enrolled_date=pa.nulls(4), lastcontentaccesstime=pa.nulls(4),
    )  # fmt: skip
    found = of_enrolments(opens, tmp_path / "enrolments", "user_id", "batch_id")
    assert found == [(None, "126825")] * 3 + [("1", "126825")]


def test_columns_in_which_all_are_null_are_null(opens: Opens, tmp_path: Path) -> None:
    nothing = {name: pa.nulls(1) for name in ("completedon", "enrolled_date", "lastcontentaccesstime")}
    certificates = {"issued_certificates": pa.nulls(1)}
    parquet(tmp_path / "enrolments", **PLACED, active=[True], status=[1], **nothing, **certificates)
    parquet(tmp_path / "groups", id=["g1"], name=["A"], status=["active"], activities=pa.nulls(1))
    found = of_enrolments(opens, tmp_path / "enrolments", "status", "certificates", "has_invalid_date")
    assert found == [(1, 0, False)]
    (group,) = opens(groups=source(tmp_path / "groups", "parquet")).frame(GROUPS).collect()
    assert (group.status, group.activities) == ("active", None)


def test_a_tree_may_be_a_struct_or_bytes(opens: Opens, tmp_path: Path) -> None:
    tree = {"identifier": "c1", "children": [{"identifier": "A"}]}
    parquet(tmp_path / "struct", identifier=["c1"], hierarchy=[tree])
    parquet(tmp_path / "bytes", identifier=["c1"], hierarchy=pa.array([json.dumps(tree).encode()], pa.binary()))
    for name in ("struct", "bytes"):
        (row,) = opens(hierarchies=source(tmp_path / name, "parquet")).frame(HIERARCHIES).collect()
        assert json.loads(row.hierarchy) == tree


def progress_of(opens: Opens, folder: Path) -> Sources:
    return opens(progress=source(folder, "parquet"))


def test_files_of_one_folder_may_have_further_columns_in_any_order(opens: Opens, tmp_path: Path) -> None:
    without = PLACED | {"contentid": ["A"], "status": [2]}
    parquet(tmp_path / "progress/1.parquet", **without)
    parquet(tmp_path / "progress/2.parquet", last_access_time=pa.array([1], pa.timestamp("us")), **without)
    sources = progress_of(opens, tmp_path / "progress")
    assert sources.absent_columns == {"enrolments": ("certificates",)}
    assert sources.frame(PROGRESS).filter("accessed_on IS NOT NULL").count() == 1


def test_dates_of_several_types_in_one_folder_are_refused(opens: Opens, tmp_path: Path) -> None:
    row = PLACED | {"contentid": ["A"], "status": [2]}
    parquet(tmp_path / "progress/1.parquet", **row, last_access_time=[1767261600000])
    parquet(tmp_path / "progress/2.parquet", **row, last_access_time=pa.array([1], pa.timestamp("us")))
    with pytest.raises(BadRequest, match=r'progress have one column as "BIGINT" and "TIMESTAMP_NTZ": write it in one'):
        progress_of(opens, tmp_path / "progress")


@pytest.mark.parametrize("log", ["_delta_log", ".hoodie"])
def test_a_table_of_a_lake_is_not_read_as_its_files(opens: Opens, tmp_path: Path, log: str) -> None:
    parquet(tmp_path / "progress/1.parquet", **PLACED | {"contentid": ["A"], "status": [2]})
    (tmp_path / "progress" / log).mkdir()
    with pytest.raises(BadRequest, match="progress is a table of Delta or Hudi: export it as Parquet files"):
        progress_of(opens, tmp_path / "progress")


def test_records_of_json_may_differ_in_columns_that_nobody_reads(opens: Opens, tmp_path: Path) -> None:
    record = {name: values[0] for name, values in PLACED.items()} | {"contentid": "A", "status": 2}
    lines = [record | {"Note": 1}, record | {"note": 2, "Status": "x"}]
    (tmp_path / "progress.json").write_text("\n".join(map(json.dumps, lines)))
    rows = opens(progress=source(tmp_path / "progress.json", "json")).frame(PROGRESS).collect()
    assert [row.status for row in rows] == [2, 2]


@pytest.mark.parametrize("day", [date(2026, 1, 31), "2026-01-31"])
def test_a_whole_day_in_the_column_of_changes_is_all_of_the_day(opens: Opens, tmp_path: Path, day: Any) -> None:
    parquet(tmp_path / "timespent", user_id=["x"], course_id=["c1"], batch_id=["b1"], seconds=[1], seen_on=[day])
    file = settings.Source(format="parquet", path=str(tmp_path / "timespent"), changed_at="seen_on")
    (row,) = opens(timespent=file).dated(TIMESPENT).selectExpr("cast(changed_at as string)").collect()
    assert row[0] == "2026-01-31 23:59:59.999"


def test_a_file_that_ends_too_early_is_named(opens: Opens, tmp_path: Path) -> None:
    row: dict[str, list[Any]] = {**PLACED, "contentid": ["A"], "status": [2]}
    parquet(tmp_path / "progress/1.parquet", **{name: values * 5000 for name, values in row.items()})
    file = tmp_path / "progress/1.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"X" * 200 + content[204:])
    with pytest.raises(BadRequest, match=r"1\.parquet cannot be read to its end: it is damaged"), translated_spark():
        progress_of(opens, tmp_path / "progress").frame(PROGRESS).collect()
