"""What scripts/package builds, submitted to a cluster whose executors have nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest
import yaml
from cassandra.cluster import Cluster, Session

from activity_aggregates.spark.session import EXTENSION
from scripts.embedded.jars import CONNECTOR, jars
from scripts.embedded.java import java_home
from scripts.embedded.paths import CHECKOUT
from scripts.sample.schema import KEYSPACES, create_source_tables
from tests.harness.processes import SHORT_LIVED

KEYSPACE = "package_test"
SPARK_HOME = Path(pyspark.__file__).parent
COLLECTION = "application/vnd.ekstep.content-collection"


@dataclass(frozen=True)
class Packed:
    """What scripts/package leaves in a folder, and the command that it prints."""

    folder: Path
    command: str

    @property
    def configuration(self) -> dict[str, str]:
        """The settings of Spark in that command."""
        of_spark = self.command.partition("jobs/run.py")[0]
        return dict(found.split("=", 1) for found in re.findall(r"--conf (\S+)", of_spark))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    folder = tmp_path_factory.mktemp("dist")
    packed = subprocess.run([CHECKOUT / "scripts" / "package", folder], check=True, stdout=subprocess.PIPE, text=True)
    return Packed(folder, packed.stdout)


@pytest.fixture
def cassandra() -> Iterator[Session]:
    contact_points = os.environ.get("CASSANDRA_CONTACT_POINTS", "127.0.0.1").split(",")
    cluster = Cluster(contact_points, port=int(os.environ.get("CASSANDRA_PORT", "9042")))
    session = cluster.connect()
    create_source_tables(session, dict.fromkeys(KEYSPACES, KEYSPACE))
    session.set_keyspace(KEYSPACE)
    yield session
    session.execute(f"DROP KEYSPACE {KEYSPACE}")
    cluster.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    sources = {name: {"keyspace": KEYSPACE} for name in ("enrolments", "progress", "hierarchies", "attempts")}
    target = {"keyspace": KEYSPACE, "replication": {"class": "SimpleStrategy", "replication_factor": 1}}
    staging = {"dir": str(tmp_path / "runs"), "shared": True}
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"sources": sources, "target": target, "staging": staging}))
    return path


def test_the_packed_job_writes_from_executors_that_have_nothing_else_and_says_what_it_lacks(
    dist: Packed, cassandra: Session, settings: Path, tmp_path: Path
) -> None:
    load_a_learner_who_is_half_way(cassandra)
    subprocess.run(["activity-aggregates", "migrate", "--conf", settings], check=True)
    submitted = spark_submit(dist, tmp_path, "run", "--conf", str(settings))
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    rows = cassandra.execute("SELECT activity_type, user_id, agg FROM activity_user_agg").all()
    assert [(row.activity_type, row.user_id, row.agg["completionPercentage"]) for row in rows] == [("Course", "u1", 50)]
    said_by_spark = [line for line in submitted.stdout.splitlines() if " INFO " in line]
    assert len(said_by_spark) <= 3, "what Spark says before it knows how much it is to say"
    refused = spark_submit(dist, tmp_path, "run", "--incremental", "--conf", str(settings))
    assert refused.returncode == 2, refused.stdout + refused.stderr
    # spark-submit passes on both streams of a Python driver as its standard output.
    assert f"start it with --conf spark.sql.extensions={EXTENSION}" in refused.stdout


def load_a_learner_who_is_half_way(cassandra: Session) -> None:
    leaves = [{"identifier": name, "mimeType": "video/mp4"} for name in ("l1", "l2")]
    tree = {"identifier": "c1", "mimeType": COLLECTION, "children": leaves}
    cassandra.execute("INSERT INTO content_hierarchy (identifier, hierarchy) VALUES ('c1', %s)", [json.dumps(tree)])
    cassandra.execute("INSERT INTO user_enrolments (userid, courseid, batchid, active) VALUES ('u1', 'c1', 'b1', true)")
    cassandra.execute(
        "INSERT INTO user_content_consumption (userid, courseid, batchid, contentid, status) "
        "VALUES ('u1', 'c1', 'b1', 'l1', 2)"
    )


def spark_submit(dist: Packed, scratch: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Submit as a cluster's own Spark would: no variable and no interpreter of this environment is left to it."""
    (package,) = dist.folder.glob("activity_aggregates-*.zip")
    executor_python = bare_python(scratch / "executor")
    driver_python = bare_python(scratch / "driver", sees=unpacked(dist.folder, scratch))
    options = {
        "--master": "local-cluster[2,1,1024]",
        "--jars": ",".join(map(str, jars(CONNECTOR))),
        "--py-files": str(package),
        "--archives": f"{dist.folder / 'env.tar.gz'}#env",
    }
    configuration = dist.configuration | {
        "spark.pyspark.python": str(executor_python),
        "spark.pyspark.driver.python": str(driver_python),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
    }
    environment = {name: value for name, value in os.environ.items() if name.startswith("CASSANDRA_")} | {
        "PATH": os.defpath,
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_WORKER_DIR": str(scratch / "work"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.run(
        [
            SPARK_HOME / "bin" / "spark-submit",
            *(part for option in options.items() for part in option),
            *(part for key, value in configuration.items() for part in ("--conf", f"{key}={value}")),
            dist.folder / "jobs" / f"{command}.py",
            *arguments,
        ],
        cwd=scratch,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def unpacked(dist: Path, scratch: Path) -> Path:
    with tarfile.open(dist / "env.tar.gz") as archive:
        archive.extractall(scratch / "unpacked", filter="data")
    return scratch / "unpacked"


def bare_python(folder: Path, sees: Path | None = None) -> Path:
    """An interpreter without packages, or with those of one folder."""
    venv.create(folder, symlinks=True)
    if sees is not None:
        (site_packages,) = folder.glob("lib/python*/site-packages")
        (site_packages / "seen.pth").write_text(f"{sees}\n")
    return folder / "bin" / "python"
