"""The DAGs as Airflow itself parses them, and their commands as spark-submit runs them."""

from __future__ import annotations

import json
import os
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
        "ACTIVITY_AGGREGATES_DIST": str(dist),
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


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, "success"), (2, "AirflowFailException"), (3, "AirflowException"), (137, "AirflowException")],
)
def test_a_lost_store_or_a_killed_driver_is_worth_another_attempt(
    dist: Path, tmp_path: Path, code: int, outcome: str
) -> None:
    submit = tmp_path / "spark-submit"
    submit.write_text(f"#!/bin/sh\nexit {code}\n")
    submit.chmod(0o755)
    assert airflow(dist, tmp_path, "activity_aggregates_full", path=f"{tmp_path}:{os.defpath}") == outcome


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
        subprocess.run(["activity-aggregates", "migrate", "--conf", dist / "settings.yaml"], check=True)
        session.set_keyspace(keyspace)
        yield session
        session.execute(f"DROP KEYSPACE {keyspace}")


def test_the_commands_of_the_tasks_run(found: Mapping[str, Any], dist: Path, settings: Session) -> None:
    for name in ("full", "incremental", "verify"):
        ended = submitted(found["commands"][f"activity_aggregates_{name}"], dist)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "INFO TaskSetManager" not in ended.stdout + ended.stderr
    ran = [(row.command, row.status) for row in settings.execute("SELECT command, status FROM aggregate_runs")]
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
