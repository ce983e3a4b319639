"""Completions are told of once a run knows of them, before it writes them, and learners who are erased in none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.json
import pytest

from activity_aggregates.errors import Unreachable
from activity_aggregates.run import announcing, applying
from activity_aggregates.store.ledger import SUCCEEDED
from activity_aggregates.store.records import RunRecord
from jobs.__main__ import main
from tests.harness.environment import Environment

SECRET = "Staples-for-the-battery-horse"


class World:
    """One course with one leaf, three learners who have done nothing, and the files of completions."""

    def __init__(self, made: Environment, folder: Path) -> None:
        self.made, self.folder = made, folder / "completions"
        events = {"path": str(self.folder), "format": "json", "keep_days": 30}
        choices = {"families": ["completion", "dates"]}
        more: dict[str, Any] = {"erased": {"secret_env": "ERASED_SECRET"}, "lease": {"ttl": 6}}
        self.conf = made.configure({"events": events, "metrics": choices, **more}, folder)
        made.empty()
        made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A"]}})
        for user in ("u1", "u2", "u3"):
            self.enrol(user)

    def enrol(self, user: str, **columns: object) -> None:
        self.made.store.load("user_enrolments", [{"userid": user, "courseid": "c1", "batchid": "b1", **columns}])

    def complete(self, user: str) -> None:
        row = {"userid": user, "courseid": "c1", "batchid": "b1", "contentid": "A", "status": 2}
        self.made.store.load("user_content_consumption", [row])
        self.enrol(user, status=2, completedon="2026-01-03T10:00:00Z")

    def call(self, *arguments: str) -> int:
        return main([*arguments, "--conf", str(self.conf)])

    def latest(self) -> RunRecord:
        record = self.made.ledger.latest()
        assert record is not None
        return record

    def left_by_a_run_of(self, days_ago: int) -> str:
        """The name of the folder of an earlier run's completions."""
        folder = self.folder / f"{datetime.now(UTC) - timedelta(days=days_ago):%Y%m%dT%H%M%SZ}-abcdef"
        folder.mkdir(parents=True)
        return folder.name

    def told(self) -> list[dict[str, Any]]:
        """The records of all runs, in the order of learners."""
        files = [file for file in self.folder.glob("*/part-*.json") if file.stat().st_size]
        return in_order(row for file in files for row in pyarrow.json.read_json(file).to_pylist())


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["user_id"]))


@pytest.fixture
def world(made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("ERASED_SECRET", SECRET)
    return World(made, tmp_path)


def test_a_completion_is_told_of_once_whatever_becomes_of_its_run_and_gone_with_its_learner(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = world.left_by_a_run_of(31), world.left_by_a_run_of(29)
    world.complete("u1")
    assert world.call("run") == 0
    assert world.told() == [], "before a first full run everybody's completion would be news"
    assert [path.name for path in world.folder.iterdir()] == [new], f"{old} was kept for as long as is set"

    world.complete("u2")
    with monkeypatch.context() as patched:
        patched.setattr(announcing, "changes_of", losing(world.folder))
        assert world.call("run") == 2
    said = capsys.readouterr().err
    assert f"events: completions could not be written to {world.folder} (ParentNotDirectoryException: " in said
    assert "nothing that they tell of was written; check events.path and run the command again" in said
    assert world.latest().counts.get("announced.completions") is None
    world.folder.unlink()

    assert world.call("run", "--incremental") == 0
    (record,) = world.told()
    run = world.latest()
    assert (record["user_id"], record["course_id"], record["context_id"]) == ("u2", "c1", "cb:b1")
    assert record["run_id"] == run.run_id
    assert run.counts["announced.completions"] == 1
    assert str(record["completed_on"]).startswith("2026-01-03")

    world.complete("u3")
    assert dies_while_it_writes_and_is_resumed(world, monkeypatch) == ["u3"]

    (world.conf.parent / "users.txt").write_text("u2\n")
    assert world.call("erase", "--users-file", str(world.conf.parent / "users.txt")) == 0
    assert world.told() == []
    assert world.latest().counts["erased.completions"] == 1


def losing(folder: Path) -> Callable[..., Any]:
    """The folder is lost on the way."""

    def lost(*arguments: Any) -> Any:
        shutil.rmtree(folder)
        folder.write_text("a file")
        return applying.changes_of(*arguments)

    return lost


def dies_while_it_writes_and_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of whom a full run tells that dies, with files of the other format; its resume tells of nothing more."""
    place = world.conf.parent / "as-parquet"
    kept_there = ("--set", "events.format=parquet", "--set", f"events.path={place}")
    with monkeypatch.context() as patched:
        patched.setattr(applying, "apply_changes", lost)
        assert world.call("run", *kept_there) == 3

    def told() -> list[dict[str, Any]]:
        return in_order(row for run in place.iterdir() for row in ds.dataset(run).to_table().to_pylist())

    records = told()
    assert world.call("run", "--resume", "last", *kept_there) == 0
    assert world.latest().status == SUCCEEDED
    assert told() == records
    return [record["user_id"] for record in records]


def lost(*_: object) -> None:
    raise Unreachable("the store is gone: run again")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_read(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.folder.write_text("a file")
    assert world.call("run") == 2
    assert f"events.path {world.folder} cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("format_", "next_step"),
    [
        ("kafkaa", "spark.packages\n"),
        ("kafka", "spark.packages, org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7\n"),
    ],
)
def test_a_writer_that_this_spark_has_not_is_refused_before_anything_is_read(
    world: World, capsys: pytest.CaptureFixture[str], format_: str, next_step: str
) -> None:
    assert world.call("run", "--set", f"events.format={format_}") == 2
    said = capsys.readouterr().err
    assert f"events.format is {format_}, a writer that this Spark has not: correct it, or add the package" in said
    assert said.endswith(next_step)
    assert "open sources" not in world.latest().phases
