"""Runs that are repeated, killed, interrupted and held off, on a real Cassandra."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any
from urllib.parse import urlparse

import pytest
from cassandra.concurrent import execute_concurrent_with_args

from activity_aggregates.protocol.usual import OF_EVERYTHING
from activity_aggregates.run.spark_work import SparkWork
from activity_aggregates.store.lease import LeaseTicket, waited_for
from activity_aggregates.store.ledger import APPLYING, INTERRUPTED, LOST, SUCCEEDED, RunRecord
from activity_aggregates.store.records import SUPERSEDED
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.harness.leases import held
from tests.harness.processes import command_line
from tests.harness.records import left_by_a_killed_run
from tests.harness.waiting import PATIENCE_SECONDS, wait_at_work

LEARNERS = 2000
BEFORE = "2026-01-01T00:00:00Z"
SLOWLY = "writes.rows_per_second=150"


@pytest.fixture
def world(made: Environment, tmp_path: Path) -> World:
    """One course with two leaves; nobody is enrolled."""
    made.empty()
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", "B"]}})
    return World(made, made.configure({"lease": {"ttl": 6}}, tmp_path))


class World:
    """An environment and what the tests do in it."""

    def __init__(self, made: Environment, conf: Path) -> None:
        self.made = made
        self.conf = conf

    def enrol(self, learners: int, batch: str = "b1") -> None:
        table = f"{self.made.sources}.user_enrolments"
        insert = self.made.session.prepare(
            f"INSERT INTO {table} (userid, courseid, batchid, status) VALUES (?, 'c1', ?, 1)"
        )
        execute_concurrent_with_args(self.made.session, insert, [(f"u{n}", batch) for n in range(learners)])

    def do(self, user: str, content: str) -> None:
        row = {"userid": user, "courseid": "c1", "batchid": "b1", "contentid": content, "status": 2}
        self.made.store.load("user_content_consumption", [row])

    def run(self, *arguments: str) -> int:
        return main(["run", *arguments, "--conf", str(self.conf)])

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A run in a process of its own, that is at work writing."""
        command = command_line("run", *arguments, "--conf", self.conf)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                wait_at_work(process, self.stored, "nothing was written")
                yield process
            finally:
                process.kill()

    def stored(self) -> dict[str, dict[str, float]]:
        """What learners have, by their id."""
        rows = self.made.session.execute(f"SELECT user_id, agg FROM {self.made.targets}.activity_user_agg")
        return {row.user_id: dict(row.agg) for row in rows}

    def latest(self) -> RunRecord:
        record = self.made.ledger.latest()
        assert record is not None
        return record

    def ticket(self, run_id: str) -> LeaseTicket:
        return LeaseTicket(self.made.targets, "aggregate_lease", run_id, ttl=60)


def learner(done: int) -> dict[str, float]:
    share = {"completionPercentage": 50.0 * done, "completed": float(done == 2)}
    return {"startedCount": float(done), "completedCount": float(done), "leafNodesCount": 2.0, **share}


def test_a_killed_run_is_finished_by_resuming_it(world: World) -> None:
    world.enrol(LEARNERS)
    with world.process("--as-of", BEFORE, "--set", SLOWLY) as process:
        process.send_signal(signal.SIGKILL)
    killed = world.latest()
    assert 0 < len(world.stored()) < LEARNERS
    assert killed.status == APPLYING
    world.do("u1", "A")  # after the snapshot: a resume writes what was staged
    assert world.run("--resume", "last") == 0
    assert world.stored() == {f"u{n}": learner(0) for n in range(LEARNERS)}
    assert (world.latest().run_id, world.latest().status) == (killed.run_id, SUCCEEDED)
    assert world.run("--resume", "last") == 0
    assert world.run() == 0
    assert world.latest().counts["written"] == 2


def test_what_was_staged_and_is_gone_is_not_taken_for_written(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it while a run is under way, as by somebody's erase in the same directory; then a part, of a dead run."""
    world.enrol(3)
    with monkeypatch.context() as patched:
        patched.setattr(SparkWork, "announce", lambda _, execution, *__: rmtree(changes_of(execution.record)))
        assert world.run() == 3
    assert " rows were staged in " in capsys.readouterr().err
    assert world.stored() == {}
    assert world.run("--wait", "60") == 0
    done = world.latest()
    assert done.is_full_success
    world.made.ledger.save(replace(done, status=LOST))
    next((changes_of(done) / "learners").glob("*.parquet")).unlink()
    assert world.run("--resume", "last") == 0
    assert "its staged changes, or some of them, are gone from " in capsys.readouterr().out
    assert world.latest().status == SUPERSEDED


def changes_of(run: RunRecord) -> Path:
    return Path(urlparse(run.staging_dir).path) / "changes"


def test_an_interrupted_run_exits_with_130_and_can_be_resumed(world: World) -> None:
    world.enrol(LEARNERS)
    with world.process("--set", SLOWLY) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert f"run {world.latest().run_id} can be finished with --resume last" in output
    assert (world.latest().status, len(world.stored()) < LEARNERS) == (INTERRUPTED, True)
    assert world.run("--resume", world.latest().run_id) == 0
    assert len(world.stored()) == LEARNERS


def test_a_second_run_at_once_does_nothing_and_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.enrol(1)
    with held(world.made.session, world.ticket("other")):
        assert world.run() == 0
    assert "run other (it has just begun) is under way, so this one did nothing" in capsys.readouterr().out
    assert world.stored() == {}


def test_a_run_waits_buries_a_dead_run_and_counts_all_learners(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.enrol(3)
    dead = left_by_a_killed_run()
    world.made.ledger.save(dead)
    of_other = "(name, holder, run_id) VALUES ('runs', 'h', 'other') USING TTL 5"
    world.made.session.execute(f"INSERT INTO {world.made.targets}.aggregate_lease {of_other}")
    assert world.run("--wait", "60") == 0
    assert "waiting for the lease of run other" in capsys.readouterr().err
    found = world.made.ledger.get(dead.run_id)
    assert found is not None
    assert found.status == LOST
    assert {*OF_EVERYTHING} <= {*world.latest().phases}, "what a first run of everything is said to go through"
    assert world.stored() == {f"u{n}": learner(0) for n in range(3)}
    row = world.made.session.execute(f"SELECT agg FROM {world.made.targets}.activity_agg").one()
    assert row.agg["enrolledCount"] == 3
    directory = Path(world.latest().staging_dir.removeprefix("file:"))
    assert directory.stat().st_mode & 0o777 == 0o700, "it is for its owner alone"


def test_a_run_that_is_resumed_while_it_lives_is_left_alone(world: World) -> None:
    told: list[int] = []
    live, again = world.ticket("r1"), world.ticket("r1")
    with held(world.made.session, replace(live, ttl=9)):
        found = waited_for(
            world.made.session, again, wait=0, is_over=lambda run_id: True,
            on_wait=lambda holder: told.append(holder.seconds_left),
        )  # fmt: skip
        assert getattr(found, "run_id", None) == "r1"
    assert len(told) == 1


def test_a_dry_run_shows_the_difference_and_writes_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.enrol(1)
    out = tmp_path / "changes.jsonl"
    assert world.run("--dry-run", "--out", str(out)) == 0
    shown = capsys.readouterr().out
    assert "activity_user_agg: 1 rows would change, 0 of them retracted" in shown
    assert "Course c1 u0 cb:b1: completed - -> 0, completedCount - -> 0" in shown
    assert "activity_agg enrolledCount: 1 rows would change, 0 -> 1 in all, +1" in shown
    assert "activity_user_agg completionPercentage: 1 rows would change\n" in shown, "nobody adds up percentages"
    assert 'course c1 "c1": 3 rows would change, enrolledCount +1' in shown
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["table"] for row in rows] == sorted(row["table"] for row in rows)
    assert {"activity_agg", "activity_user_agg"} <= {row["table"] for row in rows}
    assert world.stored() == {}


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ({"enrolments.table": "nowhere", "progress.keyspace": "nowhere"}, 2, "the sources lack enrolments ("),
        ({"enrolments.columns": {"active": "is_active"}}, 2, "has no column is_active"),
        ({"enrolments.options": {"spark.cassandra.connection.port": "1"}}, 3, "check the cluster and run"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    world: World, capsys: pytest.CaptureFixture[str], flags: dict[str, Any], code: int, sentence: str
) -> None:
    assignments = [f"--set=sources.{key}={value}" for key, value in flags.items()]
    assert world.run(*assignments) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_nothing_to_resume_is_no_error(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("--resume", "last") == 0
    assert "nothing to resume" in capsys.readouterr().out
    assert world.run("--resume", "20260101T000000Z-000000") == 2
