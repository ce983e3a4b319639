"""How many queries, jobs and tasks a run of a few rows costs: figures that do not depend on the machine."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from py4j.clientserver import JavaClient

from tests.harness.case import read_case
from tests.harness.environment import Environment
from tests.harness.execution import command, perform
from tests.harness.processes import command_line

CASE = Path(__file__).parents[1] / "cases" / "group-of-three.yaml"
MOST = {"SQLExecutionStart": 12, "JobStart": 45, "TaskEnd": 150}


@pytest.mark.parametrize("flags", [[], ["--incremental"]], ids=["full", "incremental"])
def test_a_run_of_a_few_rows_is_a_few_queries(made: Environment, tmp_path: Path, flags: list[str]) -> None:
    conf = ready(made, tmp_path, flags, {"spark": {"conf": logged(tmp_path)}})
    run(conf, flags)
    counted = events(tmp_path / "events")
    assert {name: counted[name] for name in MOST if counted[name] > MOST[name]} == {}
    assert all(counted[name] for name in MOST)


@pytest.mark.parametrize(("flags", "most"), [([], 13_000), (["--incremental"], 20_000)], ids=["full", "incremental"])
def test_a_run_of_a_few_rows_asks_the_jvm_little(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], most: int
) -> None:
    """Every question of the driver to Spark's JVM is a message there and back: a third of a short run, once."""
    conf = ready(made, tmp_path, flags, {})
    asked = count_messages(monkeypatch)
    assert command(["run", *flags], 0, conf) == []
    assert 0 < asked.total() <= most


def ready(made: Environment, folder: Path, flags: list[str], settings: dict[str, Any]) -> Path:
    """The case loaded, and its change after a run where an incremental one comes; the configuration of what comes."""
    made.empty()
    case = read_case(CASE)
    conf = made.configure({**case.settings, **settings}, folder)
    load, *_, change = (step for step in case.steps if step.kind == "load")
    perform(load, made, conf)
    if flags:  # what comes before is not counted, and sooner done in this process
        assert command(["run"], 0, conf) == []
        perform(change, made, conf)
    return conf


def count_messages(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The messages from now on, by their first letter."""
    seen = Counter[str]()
    send = JavaClient.send_command

    def counted(client: JavaClient, message: str, *args: object, **options: object) -> object:
        seen[message[0]] += 1
        return send(client, message, *args, **options)

    monkeypatch.setattr(JavaClient, "send_command", counted)
    return seen


def logged(folder: Path) -> dict[str, str | bool]:
    """Settings of a session that writes down what it does, as many partitions as a run chooses itself."""
    (folder / "events").mkdir()
    return {"spark.eventLog.enabled": True, "spark.eventLog.dir": (folder / "events").as_uri()}


def run(conf: Path, flags: list[str]) -> None:
    done = subprocess.run(command_line("run", "--conf", conf, *flags), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def events(folder: Path) -> Counter[str]:
    """How many events of each kind the one log has, by the last word of their names."""
    (log,) = folder.iterdir()
    names = (json.loads(line)["Event"] for line in log.read_text("utf-8").splitlines())
    return Counter(name.rpartition(".")[2].removeprefix("SparkListener") for name in names)
