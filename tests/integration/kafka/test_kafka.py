"""Completions through a real broker of Kafka's: told of before they are written, and what becomes of it without one."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from cassandra.concurrent import execute_concurrent_with_args
from pyspark.sql import SparkSession

from activity_aggregates.store.ledger import FAILED, SUCCEEDED
from activity_aggregates.store.records import RunRecord
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.harness.processes import command_line
from tests.harness.waiting import wait_at_work
from tests.integration.kafka.broker import broker

LEARNERS = 400
SLOWLY = "writes.rows_per_second=30"
COMPLETED_ON = "2026-01-03T10:00:00Z"
WAITING = {"kafka.max.block.ms": "3000"}  # in place of Kafka's minute
BOUND_SECONDS = 120  # of a run on a busy machine: some seconds more than what is waited for
KILLED_BEFORE_ITS_FIRST_WRITE = """
import os, signal, sys
from activity_aggregates.run import spark_work
from jobs.__main__ import main

announce = spark_work.announce

def announced_and_killed(*arguments):
    announce(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

spark_work.announce = announced_and_killed
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture
def world(made: Environment, spark: SparkSession, server: str, tmp_path: Path) -> World:
    return World(made, spark, server, tmp_path)


class World:
    """One course with one leaf, learners who have done nothing, a topic of the test's own, and a first full run."""

    def __init__(self, made: Environment, spark: SparkSession, server: str, folder: Path) -> None:
        self.made, self._spark, self.server, self._folder = made, spark, server, folder
        self.topic = f"completions-{uuid4().hex[:12]}"
        self.conf = self.configure(server)
        made.empty()
        made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A"]}})

    def configure(self, server: str, **options: str) -> Path:
        """With these options, beside those that are needed; an empty one is left out."""
        chosen = {"kafka.bootstrap.servers": server, "topic": self.topic, **options}
        events = {"format": "kafka", "options": {key: value for key, value in chosen.items() if value}}
        choices = {"families": ["completion", "dates"]}
        return self.made.configure({"events": events, "metrics": choices, "lease": {"ttl": 6}}, self._folder)

    def enrol(self, *users: str) -> None:
        statement = "INSERT INTO {} (userid, courseid, batchid, status) VALUES (?, 'c1', 'b1', 1)"
        self._write("user_enrolments", statement, users)

    def complete(self, *users: str) -> None:
        statement = "INSERT INTO {} (userid, courseid, batchid, contentid, status) VALUES (?, 'c1', 'b1', 'A', 2)"
        self._write("user_content_consumption", statement, users)
        statement = (
            f"INSERT INTO {{}} (userid, courseid, batchid, status, completedon) "
            f"VALUES (?, 'c1', 'b1', 2, '{COMPLETED_ON}')"
        )
        self._write("user_enrolments", statement, users)

    def _write(self, table: str, statement: str, users: tuple[str, ...]) -> None:
        prepared = self.made.session.prepare(statement.format(f"{self.made.sources}.{table}"))
        execute_concurrent_with_args(self.made.session, prepared, [(user,) for user in users])

    def run(self, *arguments: str) -> int:
        return main(["run", *arguments, "--conf", str(self.conf)])

    def latest(self) -> RunRecord:
        record = self.made.ledger.latest()
        assert record is not None
        return record

    def completed(self) -> set[str]:
        """Learners who stand as completed in the target table."""
        rows = self.made.session.execute(f"SELECT user_id, agg FROM {self.made.targets}.activity_user_agg")
        return {row.user_id for row in rows if row.agg.get("completed") == 1}

    def messages(self) -> list[tuple[str, dict[str, Any]]]:
        """Key and value of all that was sent, as a consumer reads them; none of a topic that is not there."""
        options = {"kafka.bootstrap.servers": self.server, "subscribePattern": self.topic}
        rows = self._spark.read.format("kafka").options(**options).load().selectExpr("string(key)", "string(value)")
        return [(row.key, json.loads(row.value)) for row in sorted(rows.collect())]


def test_a_completion_is_a_message_under_the_id_of_its_learner(world: World) -> None:
    world.enrol("u1", "u2")
    world.complete("u1")
    assert world.run() == 0
    assert world.messages() == [], "before a first full run everybody's completion would be news"
    world.complete("u2")
    assert world.run("--incremental") == 0
    run = world.latest()
    ((key, value),) = world.messages()
    assert key == "u2"
    times = {name: datetime.fromisoformat(value.pop(name)) for name in ("completed_on", "as_of")}
    assert value == {"user_id": "u2", "course_id": "c1", "context_id": "cb:b1", "run_id": run.run_id}
    assert times == {"completed_on": datetime.fromisoformat(COMPLETED_ON), "as_of": run.as_of}
    assert run.counts["announced.completions"] == 1
    assert world.run("--incremental") == 0
    assert world.run() == 0
    assert len(world.messages()) == 1


def test_a_run_that_is_killed_while_it_writes_has_told_of_all_and_its_resume_of_nothing_more(world: World) -> None:
    users = [f"u{n}" for n in range(LEARNERS)]
    world.enrol(*users)
    assert world.run() == 0
    world.complete(*users)
    command = command_line("run", "--incremental", "--set", SLOWLY, "--conf", world.conf)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_at_work(process, world.completed, "nothing was written")
        finally:
            process.send_signal(signal.SIGKILL)
    killed = world.latest()
    assert 0 < len(world.completed()) < LEARNERS
    assert [key for key, _ in world.messages()] == sorted(users)
    assert world.run("--resume", "last") == 0
    assert (world.latest().run_id, world.latest().status) == (killed.run_id, SUCCEEDED)
    assert len(world.completed()) == LEARNERS
    assert [(key, value["run_id"]) for key, value in world.messages()] == [(u, killed.run_id) for u in sorted(users)]


def test_a_run_that_is_killed_before_its_first_write_is_done_again_and_tells_again(world: World) -> None:
    world.enrol("u1")
    assert world.run() == 0
    world.complete("u1")
    command = [sys.executable, "-c", KILLED_BEFORE_ITS_FIRST_WRITE, "run", "--incremental", "--conf", str(world.conf)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    killed = world.latest()
    assert world.completed() == set()
    assert world.run("--incremental", "--wait", "60") == 0
    told = world.messages()
    assert [key for key, _ in told] == ["u1", "u1"]
    assert {value["run_id"] for _, value in told} == {killed.run_id, world.latest().run_id}
    assert len({(value["user_id"], value["course_id"], value["context_id"]) for _, value in told}) == 1


def test_without_a_broker_a_run_ends_with_the_setting_to_look_at_and_the_next_one_tells(world: World) -> None:
    world.enrol("u1")
    assert world.run() == 0
    world.complete("u1")
    with socket.socket() as unanswered:
        unanswered.bind(("127.0.0.1", 0))  # nobody listens
        world.configure(f"127.0.0.1:{unanswered.getsockname()[1]}", **WAITING)
        begun = monotonic()
        command = command_line("run", "--incremental", "--conf", world.conf)
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert monotonic() - begun < BOUND_SECONDS
    said = ended.stderr
    assert ended.returncode == 3, said
    assert (
        "activity-aggregates: events: completions could not be written to kafka (TimeoutException: "
        f"Topic {world.topic} not present in metadata after 3000 ms): nothing that they tell of was written; "
        "check events.options and run the command again\n"
    ) in said
    assert "Traceback" not in said
    assert world.completed() == set()
    assert (world.latest().status, world.latest().counts.get("announced.completions")) == (FAILED, None)
    world.configure(world.server)
    assert world.run("--incremental") == 0
    assert [key for key, _ in world.messages()] == ["u1"]
    assert world.completed() == {"u1"}


@pytest.mark.parametrize(
    ("other", "options", "reason"),
    [
        ("nobody.invalid:9092", {}, "No resolvable bootstrap urls given in bootstrap.servers"),
        (None, {"topic": ""}, "topic option required"),
        (None, {"kafka.acks": "lots"}, "Invalid value lots for configuration acks"),
        (
            None,
            {
                "kafka.security.protocol": "SASL_PLAINTEXT",
                "kafka.sasl.mechanism": "PLAIN",
                "kafka.sasl.jaas.config": 'PlainLoginModule required username="me" password="hush"',
            },
            "JAAS config entry not terminated by semi-colon",
        ),
    ],
)
def test_options_that_no_producer_can_be_made_of_are_refused_before_anything_is_read(
    world: World, capsys: pytest.CaptureFixture[str], other: str | None, options: dict[str, str], reason: str
) -> None:
    world.configure(other or world.server, **options)
    assert world.run() == 2
    said = capsys.readouterr().err
    assert "events: completions could not be written to kafka (" in said
    assert reason in said
    assert "open sources" not in world.latest().phases
    assert "hush" not in said
    assert "Traceback" not in said
