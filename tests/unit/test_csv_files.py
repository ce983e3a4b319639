"""Sources in CSV: whose columns are whose, and rows that are parted at the wrong places."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.tables import GROUPS, PROGRESS
from activity_aggregates.spark.session import translated_spark
from tests.harness.files import Opens, source


@pytest.mark.parametrize(
    "header", ["userid,courseid,batchid,contentid,last_access_time,status", "userid,courseid,note,batchid,contentid"]
)
def test_csv_files_whose_columns_differ_are_not_read_by_their_places(opens: Opens, tmp_path: Path, header: str) -> None:
    folder = tmp_path / "progress"
    folder.mkdir()
    (folder / "1.csv").write_text("userid,courseid,batchid,contentid,status,last_access_time\nu1,c1,b1,l1,2,\n" * 9)
    (folder / "2.csv").write_text(f"{header}\n" + ",".join("x" * header.count(",") + "x") + "\n")
    with (
        pytest.raises(BadRequest, match=r"the columns of \S+2\.csv are not those of the files beside it"),
        translated_spark(),
    ):
        opens(progress=source(folder)).frame(PROGRESS).collect()


GROUP = [{"id": "c1", "type": "Course"}]


def groups_csv(*rows: list[str], escape: str) -> str:
    quoted = [[value.replace('"', f'{escape}"') for value in row] for row in rows]
    return "\n".join(["id,name,status,activities", *('"' + '","'.join(row) + '"' for row in quoted)])


@pytest.mark.parametrize(("escape", "options"), [("\\", {}), ('"', {"escape": '"', "multiLine": "true"})])
def test_quotes_in_a_csv_are_read_as_the_options_say_that_they_are_escaped(
    opens: Opens, tmp_path: Path, escape: str, options: dict[str, str]
) -> None:
    name = 'The "A" team, 2026' + ("\nof the year" if options else "")
    (tmp_path / "groups.csv").write_text(groups_csv(["g1", name, "active", json.dumps(GROUP)], escape=escape))
    file = replace(source(tmp_path / "groups.csv"), options=options)
    (row,) = opens(groups=file).frame(GROUPS).collect()
    assert (row.group_id, row.status, [each["id"] for each in row.activities]) == ("g1", "active", ["c1"])


def test_a_row_of_a_csv_that_is_parted_at_the_wrong_places_has_no_key_and_is_not_another_row(
    opens: Opens, tmp_path: Path
) -> None:
    text = groups_csv(["g1", 'The "A" team, 2026', "active", json.dumps(GROUP)], escape='"') + "\ng2,cut\ng3,B,active,"
    (tmp_path / "groups.csv").write_text(text)
    rows = opens(groups=source(tmp_path / "groups.csv")).frame(GROUPS).select("group_id", "status").collect()
    assert [tuple(row) for row in rows] == [(None, None), (None, None), ("g3", "active")]


@pytest.mark.parametrize("header", [",id,name,status,activities", "note,id,name,status,activities,note"])
def test_columns_that_have_no_name_of_their_own_are_passed_over(opens: Opens, tmp_path: Path, header: str) -> None:
    values = {"id": "g1", "name": "A", "status": "active", "activities": json.dumps([])}
    line = ",".join(values.get(name, "0") for name in header.split(","))
    (tmp_path / "groups.csv").write_text(f"{header}\n{line}\n")
    rows = opens(groups=source(tmp_path / "groups.csv")).frame(GROUPS).select("group_id", "status").collect()
    assert [tuple(row) for row in rows] == [("g1", "active")]
