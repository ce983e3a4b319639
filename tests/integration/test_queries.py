"""What a run of a few rows costs: queries, jobs, tasks and messages, which do not depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.case import read_case
from tests.harness.environment import Environment
from tests.harness.execution import perform

CASE = Path(__file__).parents[1] / "cases" / "group-of-three.yaml"
FULL, INCREMENTAL = "full", "incremental"
# Of each event, where Spark's log says when it was.
TIMES = {
    "SparkListenerSQLExecutionStart": ("time",),
    "SparkListenerJobStart": ("Submission Time",),
    "SparkListenerTaskEnd": ("Task Info", "Launch Time"),
}
MOST = {"SparkListenerSQLExecutionStart": 12, "SparkListenerJobStart": 45, "SparkListenerTaskEnd": 150}
# Every question of the driver to Spark's JVM is a message there and back: a third of a short run, once.
MOST_MESSAGES = {FULL: 13_000, INCREMENTAL: 20_000}


@dataclass(frozen=True)
class Cost:
    """Of one run."""

    events: Counter[str]
    messages: int


@pytest.fixture(scope="module")
def costs(made: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    """Of a run over the case in a session of its own, and of one that follows the case's change."""
    folder = tmp_path_factory.mktemp("queries")
    made.empty()
    case = read_case(CASE)
    conf = made.configure({**case.settings, "spark": {"conf": logged(folder / "events")}}, folder)
    load, *_, change = (step for step in case.steps if step.kind == "load")
    perform(load, made, conf)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.harness.successive"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "said").open("w"), text=True,
    ) as process:  # fmt: skip
        full = called(process, ["run", "--conf", str(conf)])
        perform(change, made, conf)
        incremental = called(process, ["run", "--incremental", "--conf", str(conf)])
    assert [full["code"], incremental["code"]] == [0, 0], (folder / "said").read_text("utf-8")
    counts: dict[str, Counter[str]] = {FULL: Counter(), INCREMENTAL: Counter()}
    for name, when in events(folder / "events"):
        counts[FULL if when < incremental["began"] else INCREMENTAL][name] += 1
    asked = {FULL: full["messages"], INCREMENTAL: incremental["messages"]}
    return {run: Cost(counts[run], asked[run]) for run in counts}


@pytest.mark.parametrize("run", [FULL, INCREMENTAL])
def test_a_run_of_a_few_rows_is_a_few_queries(costs: dict[str, Cost], run: str) -> None:
    counted = costs[run].events
    assert {name: counted[name] for name in MOST if counted[name] > MOST[name]} == {}
    assert all(counted[name] for name in MOST)


@pytest.mark.parametrize("run", [FULL, INCREMENTAL])
def test_a_run_of_a_few_rows_asks_the_jvm_little(costs: dict[str, Cost], run: str) -> None:
    assert 0 < costs[run].messages <= MOST_MESSAGES[run]


def logged(folder: Path) -> dict[str, str | bool]:
    """Settings of a session that writes down what it does, as many partitions as a run chooses itself."""
    folder.mkdir()
    return {"spark.eventLog.enabled": True, "spark.eventLog.dir": folder.as_uri()}


def called(process: subprocess.Popen[str], arguments: list[str]) -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    print(json.dumps(arguments), file=process.stdin, flush=True)
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def events(folder: Path) -> Iterator[tuple[str, int]]:
    """The kind and the time, in epoch milliseconds, of what the one log tells of queries, jobs and tasks."""
    (log,) = folder.iterdir()
    for line in log.read_text("utf-8").splitlines():
        event = json.loads(line)
        name = event["Event"].rpartition(".")[2]
        if name in TIMES:
            when = event
            for key in TIMES[name]:
                when = when[key]
            yield name, when
