"""What export writes of the target tables, on a real Cassandra, as other tools read it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activity_aggregates.store.erased import Erased, ErasedTable
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.harness.processes import command_line
from tests.harness.waiting import PATIENCE_SECONDS, wait_at_work

SECRET = "A-secret-of-the-tests-alone"
AT = "2026-01-31T06:00:00Z"
COURSE = {"activity_type": "Course", "activity_id": "c1"}
LISTED = {"group_id": "g1", "activity_type": "TextBook", "activity_id": "c1"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "activity_agg": [
        {**COURSE, "context_id": "cb:b1", "agg": {"enrolledCount": 2, "completionPercentage": 66.66, "theirs": 9},
         "agg_last_updated": {"enrolledCount": AT}},
        {**COURSE, "context_id": "cb:b2", "agg": {"enrolledCount": 3}},
        {"activity_type": "Quiz", "activity_id": "q", "context_id": "g:g1", "agg": {"enrolledCount": 1}},
        {**COURSE, "context_id": "cb:theirs", "agg": {"theirs": 9}},
    ],
    "activity_user_agg": [
        {**COURSE, "user_id": "u,1", "context_id": "cb:b1", "agg": {"completed": 1, "score:q": 3.5, "theirs": 9},
         "agg_last_updated": {"completed": AT, "score:q": AT}},
        {**COURSE, "user_id": " u2 ", "context_id": "cb:b1", "agg": {"completed": 0}},
        {**COURSE, "user_id": "goes", "context_id": "cb:b1", "agg": {"completed": 0}},
    ],
    "group_activity_user_agg": [{**LISTED, "user_id": "u1", "agg": {"completed": 1, "minutes_of_use": 5, "theirs": 9}}],
    "group_activity_agg": [
        {**LISTED, "agg": {"memberCount": 4}},
        {**LISTED, "activity_type": "Course", "agg": {"memberCount": 5}},
    ],
    "activity_day_agg": [
        {**COURSE, "context_id": "cb:b1", "day": "2026-01-31", "agg": {"lastActiveCount": 7}},
        {**COURSE, "context_id": "cb:b1", "day": "0001-02-03", "agg": {"lastActiveCount": 1}},
    ],
    "activity_metadata": [{**COURSE, "metadata": {"name": 'Say "hello",\nand go', "theirs": "x"}}],
}  # fmt: skip


@pytest.fixture(scope="module")
def conf(made: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    for table, rows in ROWS.items():
        made.store.merge(table, rows)
    made.store.load("activity_catalog", [{**COURSE, "context_id": "cb:b1", "course_id": "c1"}])
    metrics = {"families": ["completion", "dates"], "carry": ["minutes_of_use"]}
    return made.configure({"metrics": metrics}, tmp_path_factory.mktemp("export"))


class Exports:
    """The directories of a test, and what is in them."""

    def __init__(self, conf: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.conf, self.folder, self._capsys = conf, folder, capsys

    def call(self, table: str, *arguments: str, out: str = "out") -> tuple[int, str]:
        """Exit code, and what was said at last."""
        self._capsys.readouterr()
        code = main(["export", table, "--out", str(self.folder / out), "--conf", str(self.conf), *arguments])
        said = self._capsys.readouterr()
        return code, (said.err if code else said.out).splitlines()[-1]

    def parquet(self, table: str, *arguments: str) -> pa.Table:
        assert self.call(table, *arguments)[0] == 0
        assert (self.folder / "out" / "_SUCCESS").exists()
        return pq.read_table(self.folder / "out")

    def csv(self, table: str, *arguments: str) -> tuple[list[str], list[dict[str, str]]]:
        """The header, and the rows of all files."""
        assert self.call(table, "--format", "csv", *arguments)[0] == 0
        rows, header = [], []
        for path in (self.folder / "out").glob("part-*.csv"):
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                rows += list(reader)
                header = list(reader.fieldnames or [])
        return header, rows


@pytest.fixture
def exports(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Exports:
    return Exports(conf, tmp_path, capsys)


@pytest.fixture
def erased(made: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One who is to be erased, while the rows are still there."""
    monkeypatch.setenv("ERASED_SECRET", SECRET)
    place = f"{made.targets}.aggregate_erased"
    table = ErasedTable(place, SECRET.encode(), "ERASED_SECRET", None)
    table.record(made.session, Erased(SECRET.encode()), ["goes"], datetime(2026, 1, 31, tzinfo=UTC))
    yield
    made.session.execute(f"TRUNCATE {place}")


def test_each_metric_is_a_column_of_numbers_after_the_key(exports: Exports) -> None:
    found = exports.parquet("activity_agg")
    assert found.column_names[:5] == ["activity_type", "activity_id", "context_id", "enrolledCount", "startedCount"]
    assert {str(kind) for kind in found.schema.types[3:]} == {"double"}
    rows = sorted(found.to_pylist(), key=lambda row: row["context_id"])
    assert [row["enrolledCount"] for row in rows] == [2.0, 3.0, 1.0]
    assert (rows[0]["completionPercentage"], rows[0]["startedCount"]) == (66.66, None)
    assert not {"theirs", "enrolledCount_last_updated"} & {*found.column_names}


def test_dates_are_points_in_time_and_entries_with_ids_are_maps(exports: Exports) -> None:
    found = exports.parquet("activity_user_agg", "--dates")
    assert str(found.schema.field("completed_last_updated").type) == "timestamp[us, tz=UTC]"
    row = next(row for row in found.to_pylist() if row["user_id"] == "u,1")
    at = datetime.fromisoformat(AT)
    assert (row["entries"], row["entries_last_updated"]) == ([("score:q", 3.5)], [("score:q", at)])
    assert (row["completed"], row["completed_last_updated"], row["startedCount_last_updated"]) == (1.0, at, None)


@pytest.mark.usefixtures("erased")
def test_a_csv_is_read_by_other_tools_and_names_nobody_whose_erase_is_under_way(exports: Exports) -> None:
    header, rows = exports.csv("activity_user_agg", "--dates", "--context", "cb:b1")
    assert header[:5] == ["activity_type", "activity_id", "user_id", "context_id", "startedCount"]
    by_user = {row["user_id"]: row for row in rows}
    assert sorted(by_user) == [" u2 ", "u,1"]
    first = by_user["u,1"]
    assert (first["completed"], first["startedCount"], json.loads(first["entries"])) == ("1.0", "", {"score:q": 3.5})
    assert datetime.fromisoformat(first["completed_last_updated"]) == datetime.fromisoformat(AT)
    assert json.loads(first["entries_last_updated"]) == {"score:q": "2026-01-31T06:00:00.000Z"}
    assert (by_user[" u2 "]["entries"], by_user[" u2 "]["completed_last_updated"]) == ("", "")


def test_without_the_secret_of_the_erased_only_tables_without_learners_are_exported(
    exports: Exports, erased: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERASED_SECRET")
    code, said = exports.call("activity_user_agg")
    assert (code, "set the variable ERASED_SECRET" in said) == (2, True)
    assert exports.call("activity_agg")[0] == 0


def test_tables_of_groups_have_types_as_listed_and_entries_that_are_taken_along(exports: Exports) -> None:
    _, members = exports.csv("group_activity_user_agg")
    assert [(row["minutes_of_use"], row["entries"], "theirs" in row) for row in members] == [("5.0", "", False)]
    code, said = exports.call("group_activity_agg", "--activity", "TextBook:c1", out="groups")
    assert (code, said) == (0, f"1 rows of group_activity_agg written to {exports.folder / 'groups'}")
    assert pq.read_table(exports.folder / "groups")["memberCount"].to_pylist() == [4.0]


def test_days_are_dates_also_those_that_nobody_meant(exports: Exports) -> None:
    found = exports.parquet("activity_day_agg", "--activity", "c1")
    assert dict(zip(found["day"].to_pylist(), found["lastActiveCount"].to_pylist(), strict=True)) == {
        date(2026, 1, 31): 7.0, date(1, 2, 3): 1.0
    }  # fmt: skip


def test_texts_are_exported_as_they_are(exports: Exports) -> None:
    header, rows = exports.csv("activity_metadata")
    assert header == ["activity_type", "activity_id", "metadata"]
    assert [json.loads(row["metadata"]) for row in rows] == [{"name": 'Say "hello",\nand go'}]
    assert exports.call("activity_catalog", "--activity", "Course:c1", "--context", "cb:b1", out="places")[0] == 0
    assert pq.read_table(exports.folder / "places")["course_id"].to_pylist() == ["c1"]


def test_nothing_that_is_asked_for_is_a_directory_without_rows(exports: Exports) -> None:
    header, rows = exports.csv("activity_agg", "--context", "cb:none")
    assert (header[3], rows) == ("enrolledCount", [])
    code, said = exports.call("activity_agg", "--activity", "Quiz:none", out="empty")
    assert (code, said) == (0, f"0 rows of activity_agg written to {exports.folder / 'empty'}")
    assert pq.read_table(exports.folder / "empty").column_names[3] == "enrolledCount"


def test_a_directory_that_is_not_empty_is_left_as_it_is(exports: Exports) -> None:
    (exports.folder / "out").mkdir()
    (exports.folder / "out" / "mine").touch()
    code, said = exports.call("activity_agg")
    assert (code, f"--out {exports.folder / 'out'} is not empty, and nothing is overwritten" in said) == (2, True)
    assert [path.name for path in (exports.folder / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("setting", "code", "sentence"),
    [
        ("cassandra.port=1", 3, "port 1 cannot be reached"),
        ("target.keyspace=nowhere", 1, "nowhere lacks 001_aggregates"),
        ("spark.master=yarn", 2, "which the executors of yarn cannot see"),
    ],
)
def test_what_is_in_the_way_is_told_in_a_sentence(exports: Exports, setting: str, code: int, sentence: str) -> None:
    found, said = exports.call("activity_agg", "--set", setting)
    assert (found, sentence in said) == (code, True)


def test_an_export_leaves_no_trace_in_the_store(exports: Exports, made: Environment) -> None:
    before = made.store.snapshot()
    assert exports.call("activity_agg")[0] == 0
    assert made.store.snapshot() == before


def test_an_interrupted_export_exits_with_130_and_does_not_look_finished(exports: Exports, made: Environment) -> None:
    made.store.merge(
        "activity_agg", [{**COURSE, "context_id": f"cb:{n}", "agg": {"enrolledCount": 1}} for n in range(60)]
    )
    out = exports.folder / "out"
    slowly = ("--set", "spark.conf.spark.cassandra.input.readsPerSec=1")
    command = command_line("export", "activity_agg", "--out", out, "--conf", exports.conf, *slowly)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_at_work(process, (out / "_temporary").exists, "nothing was written")
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in output) == (130, False), output
    assert not (out / "_SUCCESS").exists()
    assert list(out.glob("part-*")) == []
