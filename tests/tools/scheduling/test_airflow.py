"""The DAGs as Airflow itself parses them, and their commands as spark-submit runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyspark
import pytest
import yaml
from cassandra.cluster import Session

from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, open_session
from scripts.embedded.artifacts import CONNECTOR
from scripts.embedded.jars import jars
from scripts.embedded.java import java_home
from scripts.embedded.paths import CHECKOUT
from scripts.sample.schema import KEYSPACES, create_source_tables

SPARK_BIN = Path(pyspark.__file__).parent / "bin"
SECRET, EXTRA = "Corr3ctHorse", {"ERASED_SECRET": "Staples-for-the-battery-horse"}
TASKS = [f"activity_aggregates_{name}" for name in ("full", "incremental", "verify", "command")]
VALUES = "settings: {cassandra: {contact_points: [cassandra]}}\napi: {enabled: false}\n"
KUBECONFIG = """
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"""
READER = Path(__file__).parent / "airflow_tasks.py"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release as the DAGs expect it, its driver with the packed environment and nothing else."""
    built = tmp_path_factory.mktemp("release")
    subprocess.run([CHECKOUT / "scripts" / "package", built], check=True, stdout=subprocess.DEVNULL)
    (folder,) = (path for path in built.iterdir() if path.is_dir())
    venv.create(folder / "driver", symlinks=True)
    with tarfile.open(folder / "env.tar.gz") as archive:
        archive.extractall(folder / "packages", filter="data")
    (site_packages,) = (folder / "driver").glob("lib/python*/site-packages")
    (site_packages / "packed.pth").write_text(f"{folder / 'packages'}\n")
    return folder


def airflow(dist: Path, scratch: Path, *arguments: str, path: str = os.defpath) -> Any:
    """What Airflow makes of the folder of DAGs, in a process of its own environment."""
    python = os.environ.get("AIRFLOW_PYTHON")
    if python is None:
        pytest.fail("AIRFLOW_PYTHON is not set: run these tests with `scripts/test airflow`", False)
    environment = {
        "PATH": path,
        "HOME": str(scratch),
        "AIRFLOW_HOME": str(scratch / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "AIRFLOW_CONN_ACTIVITY_AGGREGATES": json.dumps({"conn_type": "generic", "password": SECRET, "extra": EXTRA}),
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps({"conn_type": "kubernetes"}),
        "KUBECONFIG": str(scratch / "kubeconfig.yaml"),
        "ACTIVITY_AGGREGATES_DIST": str(dist),
        "ACTIVITY_AGGREGATES_MAIL": "on-call@example.org",
        "ACTIVITY_AGGREGATES_LOG_LEVEL": "ERROR",
    }
    out = scratch / "found.json"
    command = [python, str(READER), str(CHECKOUT / "deploy" / "airflow"), str(out), *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def found(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = airflow(dist, tmp_path_factory.mktemp("airflow"))
    return parsed


def test_airflow_parses_the_dags_with_their_windows(found: Mapping[str, Any]) -> None:
    assert found["errors"] == {}
    assert found["windows"] == {
        "activity_aggregates_full": ["2026-01-30T01:30:00+00:00", "2026-01-31T01:30:00+00:00"],
        "activity_aggregates_incremental": ["2026-01-31T22:10:00+00:00", "2026-01-31T23:10:00+00:00"],
        "activity_aggregates_verify": ["2026-01-18T04:30:00+00:00", "2026-01-25T04:30:00+00:00"],
    }


def test_a_task_has_an_end_and_somebody_is_told_of_its_failure(found: Mapping[str, Any]) -> None:
    hours = {name: limit / 3600 for name, limit in found["limits"].items()}
    assert hours == {**dict.fromkeys(TASKS, 8), "activity_aggregates_incremental": 3, "activity_aggregates_command": 24}
    assert found["callbacks"] == {name: ["on-call@example.org"] for name in TASKS}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, "success"), (2, "AirflowFailException"), (3, "AirflowException"), (137, "AirflowException")],
)
def test_a_lost_store_or_a_killed_driver_is_worth_another_attempt(
    dist: Path, tmp_path: Path, code: int, outcome: str
) -> None:
    instead_of_spark_submit(tmp_path, f"exit {code}")
    assert airflow(dist, tmp_path, "activity_aggregates_full", path=f"{tmp_path}:{os.defpath}") == outcome


def instead_of_spark_submit(folder: Path, script: str) -> None:
    submit = folder / "spark-submit"
    submit.write_text(f"#!/bin/sh\n{script}\n")
    submit.chmod(0o755)


@pytest.mark.parametrize(
    ("params", "arguments"),
    [
        ({"command": "backfill", "file": "/a.yaml", "dry_run": True}, "backfill.py /a.yaml --dry-run"),
        ({"command": "erase", "file": "/gone.txt", "dry_run": False}, "erase.py --users-file /gone.txt"),
        ({"command": "migrate", "file": None, "dry_run": True}, "migrate.py --check"),
    ],
)
def test_a_command_by_hand_is_what_its_parameters_say_and_sees_the_secrets(
    dist: Path, tmp_path: Path, params: dict[str, Any], arguments: str
) -> None:
    said = f'echo "$* | $CASSANDRA_PASSWORD $ERASED_SECRET" >{tmp_path}/said'
    instead_of_spark_submit(tmp_path, said)
    path = f"{tmp_path}:{os.defpath}"
    assert airflow(dist, tmp_path, "activity_aggregates_command", json.dumps(params), path=path) == "success"
    command, secrets = (tmp_path / "said").read_text().strip().split(" | ")
    assert command.endswith(f"{dist}/jobs/{arguments} --conf {dist}/settings.yaml")
    assert secrets == f"{SECRET} {EXTRA['ERASED_SECRET']}"
    assert "--conf spark.log.level=ERROR" in command


def test_a_command_without_its_file_is_not_tried_again(dist: Path, tmp_path: Path) -> None:
    params = json.dumps({"command": "erase", "file": None, "dry_run": False})
    assert airflow(dist, tmp_path, "activity_aggregates_command", params) == "AirflowFailException"


def test_the_job_that_the_chart_writes_is_the_one_that_airflow_submits(tmp_path: Path, kubernetes_tools: Path) -> None:
    """As docs/scheduling.md has it: the lines for the shell, and the DAG."""
    shown = (CHECKOUT / "docs" / "scheduling.md").read_text().partition("### Airflow on Kubernetes")[2]
    shell, dag = re.findall(r"```(?:python)?\n(.+?)```", shown, re.DOTALL)[:2]
    (tmp_path / "values.yaml").write_text(VALUES)
    (tmp_path / "deploy").symlink_to(CHECKOUT / "deploy")
    path = f"{kubernetes_tools / 'bin'}:{os.defpath}"
    templated = shell.replace("helm template", "helm template --kube-version 1.37")
    subprocess.run(["sh", "-ec", templated], cwd=tmp_path, env={"PATH": path}, check=True)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "full.py").write_text(dag)
    made = yaml.safe_load((tmp_path / "full.yaml").rename(tmp_path / "dags" / "full.yaml").read_text())
    (tmp_path / "kubeconfig.yaml").write_text(KUBECONFIG)
    submitted = airflow(tmp_path, tmp_path, "--job", str(tmp_path / "dags"))
    assert submitted["spec"]["podFailurePolicy"] == made["spec"]["podFailurePolicy"]
    assert submitted["spec"]["backoffLimit"] == made["spec"]["backoffLimit"]
    (container,) = submitted["spec"]["template"]["spec"]["containers"]
    (wanted,) = made["spec"]["template"]["spec"]["containers"]
    for key in ("name", "image", "args", "resources", "securityContext", "volumeMounts"):
        assert container[key] == wanted[key]


@pytest.fixture
def settings(dist: Path) -> Iterator[Session]:
    """The settings.yaml of the release, for keyspaces that hold no rows."""
    keyspace = f"airflow_{uuid4().hex[:12]}"
    sources = {name: {"keyspace": keyspace} for name in ("enrolments", "progress", "hierarchies", "attempts")}
    target = {"keyspace": keyspace, "replication": {"class": "SimpleStrategy", "replication_factor": 1}}
    staging = {"dir": str(dist / "runs")}
    (dist / "settings.yaml").write_text(yaml.safe_dump({"sources": sources, "target": target, "staging": staging}))
    with open_session(connection(load(None, os.environ, {}).settings.cassandra, os.environ)) as session:
        create_source_tables(session, dict.fromkeys(KEYSPACES, keyspace))
        yield session
        session.execute(f"DROP KEYSPACE {keyspace}")


def test_the_commands_of_the_tasks_run(found: Mapping[str, Any], dist: Path, settings: Session) -> None:
    for name in ("command", "full", "incremental", "verify"):  # the first one migrates
        ended = submitted(found["commands"][f"activity_aggregates_{name}"], dist)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "INFO TaskSetManager" not in ended.stdout + ended.stderr
    keyspace = yaml.safe_load((dist / "settings.yaml").read_text())["target"]["keyspace"]
    runs = settings.execute(f"SELECT command, status FROM {keyspace}.aggregate_runs")
    ran = [(row.command, row.status) for row in runs]
    assert ran == [("verify", "dry_run"), ("run --incremental", "succeeded"), ("run", "succeeded")]


def submitted(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what the task would, with the connector from the cache in place of a Maven repository."""
    packages = command.index("--packages")
    local = [*command[:packages], "--jars", ",".join(map(str, jars(CONNECTOR))), *command[packages + 2 :]]
    environment = {name: value for name, value in os.environ.items() if name.startswith("CASSANDRA_")} | {
        "PATH": f"{SPARK_BIN}:{os.environ['PATH']}",
        "JAVA_HOME": str(java_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.run(
        local, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
