"""Executors that are killed while a run reads, compares and writes: that costs time, and never the run.

Spark has much to say of it, which makes this the run whose log and events are looked at, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.harness.environment import Environment
from tests.harness.log_lines import objects
from tests.harness.processes import command_line, executors
from tests.harness.waiting import wait_until

LEARNERS = 400
LEARNERS_TABLE = "activity_user_agg"
# After each of these phases one executor is killed, while the phase that follows is under way.
AFTER = ("read enrolments", "find owners", "read progress", "compare activities and groups")


def test_killed_executors_cost_time_and_nothing_else(made: Environment, tmp_path: Path) -> None:
    made.empty()
    load(made)
    spark = {"master": "local-cluster[2,1,1024]", "conf": {"spark.executor.memory": "768m", "spark.ui.enabled": False}}
    watching = {"log": {"format": "json"}, "lineage": {"path": str(tmp_path / "events.jsonl")}}
    conf = made.configure({"spark": spark, "staging": {"shared": True}, **watching}, tmp_path)
    process = subprocess.Popen(
        command_line("run", "--conf", conf), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "SPARK_WORKER_DIR": str(tmp_path / "work")},
    )  # fmt: skip
    killed: list[int] = []
    said: list[dict[str, Any]] = []
    assert process.stdout
    for line in process.stdout:
        (known,) = objects([line])
        said.append(known)
        if "seconds" in known and known["phase"].startswith(AFTER):
            wait_until(lambda: executors(process.pid), "no executor is there")
            victim = executors(process.pid)[0]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
    assert process.wait() == 0, said
    assert len(set(killed)) == len(AFTER)
    assert numbers(made) == {"enrolledCount": LEARNERS, "startedCount": LEARNERS, "completedCount": LEARNERS // 2}
    assert len(made.store.stored("activity_user_agg")) == LEARNERS
    record = made.ledger.latest()
    assert record is not None
    of_spark = [line for line in said if line.get("logger", "").startswith("org.apache.spark")]
    assert any("Lost executor" in line["message"] and line["run_id"] == record.run_id for line in of_spark)
    (result,) = [line for line in said if line.get("status") == "succeeded"]
    assert (result["run_id"], result["written"]) == (record.run_id, record.counts["written"])
    assert written(tmp_path / "events.jsonl") == [("START", {}), ("COMPLETE", {"activity_user_agg": LEARNERS})]


def written(events: Path) -> list[tuple[str, dict[str, Any]]]:
    """The kind of each event of lineage, and the rows of learners that it says were written."""
    found = []
    for event in map(json.loads, events.read_text().splitlines()):
        rows = {each["name"].rpartition(".")[2]: each["outputFacets"]["outputStatistics"] for each in event["outputs"]}
        found.append(
            (event["eventType"], {name: of["rowCount"] for name, of in rows.items() if name == LEARNERS_TABLE})
        )
    return found


def load(made: Environment) -> None:
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", "B"]}})
    users = [f"u{number}" for number in range(LEARNERS)]
    key = {"courseid": "c1", "batchid": "b1"}
    made.store.load("user_enrolments", [{"userid": user, **key, "active": True, "status": 1} for user in users])
    done = [(user, content) for at, user in enumerate(users) for content in ("A", "B")[: 1 + at % 2]]
    made.store.load(
        "user_content_consumption",
        [{"userid": user, **key, "contentid": content, "status": 2} for user, content in done],
    )


def numbers(made: Environment) -> dict[str, float]:
    (row,) = made.store.stored("activity_agg")
    return {name: row["agg"][name] for name in ("enrolledCount", "startedCount", "completedCount")}
