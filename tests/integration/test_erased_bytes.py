"""An erased learner is nowhere on disk in what the software wrote: every file is searched, those of the node too."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from jobs.__main__ import main
from scripts.embedded import nodetool
from scripts.embedded.paths import INSTANCES
from tests.harness.environment import Environment, environment
from tests.harness.waiting import wait_until
from tests.integration.conftest import wait_until_seen

GONE = f"learner-{uuid4().hex}"
# Of a hash without a key anybody who has the ids could tell whose it is.
TELLING = [GONE, *(hashlib.new(name, GONE.encode()).hexdigest() for name in ("md5", "sha1", "sha256"))]


@pytest.fixture
def node() -> str:
    """The name of the node of the tests, whose files can be looked into."""
    for state in INSTANCES.glob("*/state.json"):
        if json.loads(state.read_text())["port"] == int(os.environ["CASSANDRA_PORT"]):
            return state.parent.name
    pytest.skip("this Cassandra is none of scripts/cassandra, and keeps its files elsewhere")


@pytest.fixture
def plain(spark: SparkSession, cassandra: Session, tmp_path: Path) -> Iterator[Environment]:
    """Tables of its own: not compressed, and with nothing kept of what was deleted beyond the next compaction."""
    (tmp_path / "migrate").mkdir()
    with environment(cassandra, tmp_path / "migrate") as created:
        for keyspace, table in created.store.places():
            if keyspace == created.targets:
                options = "compression = {'enabled': 'false'} AND gc_grace_seconds = 0"
                cassandra.execute(f"ALTER TABLE {keyspace}.{table} WITH {options}")
        wait_until_seen(spark, created)
        yield created


def test_an_erased_learner_is_in_no_file_once_the_node_has_compacted(
    plain: Environment, node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ERASED_SECRET", "Staples-for-the-battery-horse")
    fill(plain)
    conf = plain.configure(settings(tmp_path), tmp_path)
    (tmp_path / "asked").mkdir()
    users = tmp_path / "asked" / "users.txt"
    users.write_text(f"{GONE}\n")

    assert main(["run", "--conf", str(conf)]) == 0
    done = {"userid": GONE, "courseid": "c1", "batchid": "b1"}
    plain.store.load("user_content_consumption", [{**done, "contentid": "A", "status": 2}])
    plain.store.load("user_enrolments", [{**done, "status": 2, "completedon": "2026-01-03T10:00:00Z"}])
    assert main(["run", "--incremental", "--conf", str(conf)]) == 0
    nodetool.ask(node, ["flush", plain.targets])
    assert {"runs", "completions", "asked"} == rooms(tmp_path)
    of_targets = [f"data/{plain.targets}/{table}" for table in ("activity_user_agg", "aggregate_quarantine")]
    assert {*of_targets} <= rooms_of_node(node)

    assert main(["erase", "--users-file", str(users), "--conf", str(conf)]) == 0
    assert main(["report", "last", "--out", str(tmp_path / "report.html"), "--conf", str(conf)]) == 0
    assert rooms(tmp_path) == {"asked"}, "the file of whoever asked for it"
    assert {"report.html", "lineage.jsonl", "runs.prom"} <= {path.name for path in tmp_path.iterdir()}
    said = capfd.readouterr()
    assert GONE not in said.out + said.err
    nodetool.ask(node, ["flush", plain.targets])
    nodetool.ask(node, ["compact", plain.targets])
    # What it compacted it deletes a moment later. The sources name the learner; so does the log of commits, until its
    # segments are used again.
    others = {"commitlog", *(f"data/{plain.sources}/{table}" for keyspace, table in plain.store.places())}
    wait_until(lambda: rooms_of_node(node) <= others, f"{GONE} is still in {rooms_of_node(node) - others}")


def settings(folder: Path) -> dict[str, object]:
    """All that can be written is written."""
    return {
        "erased": {"secret_env": "ERASED_SECRET"},
        "events": {"path": str(folder / "completions"), "format": "json"},
        "lineage": {"path": str(folder / "lineage.jsonl")},
        "prometheus": {"textfile": str(folder / "runs.prom")},
        "metrics": {"families": ["completion", "dates", "groups"]},
        "log": {"format": "json"},
    }


def fill(made: Environment) -> None:
    """Two learners of a course and a group; a row of each is refused."""
    made.empty()
    load = made.store.load
    load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", {"unit": "unit1", "children": ["B"]}]}})
    load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    for user in (GONE, "learner-who-stays"):
        row = {"userid": user, "courseid": "c1", "batchid": "b1"}
        load("user_enrolments", [{**row, "status": 1}])
        load(
            "user_content_consumption", [{**row, "contentid": "C", "status": 7}, {**row, "contentid": "B", "status": 2}]
        )
        load("group_member", [{"groupid": "g1", "userid": user, "status": "active", "role": "member"}])


def rooms(folder: Path) -> set[str]:
    """The names directly below the folder of what has the learner in it."""
    return {path.relative_to(folder).parts[0] for path in files_with_the_learner(folder)}


def rooms_of_node(node: str) -> set[str]:
    """Of the node's files: data/KEYSPACE/TABLE, or what else lies in its folder."""
    folder = INSTANCES / node / "node1"
    found = [path.relative_to(folder).parts for path in files_with_the_learner(folder)]
    return {"/".join([*parts[:2], parts[2].partition("-")[0]] if parts[0] == "data" else parts[:1]) for parts in found}


def files_with_the_learner(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and any(text.encode() in content(path) for text in TELLING):
                yield path
        except FileNotFoundError:
            continue  # the node has just deleted it


def content(path: Path) -> bytes:
    """The bytes of a file; of Parquet, which may be compressed, its values too."""
    rows = repr(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else ""
    return rows.encode() + path.read_bytes()
