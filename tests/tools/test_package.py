"""What scripts/package builds, used in an empty folder as docs/installing.md says, line by line."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest
import yaml
from cassandra.cluster import Cluster, Session

from activity_aggregates import __version__
from activity_aggregates.spark.session import EXTENSION
from scripts.embedded.artifacts import CONNECTOR
from scripts.embedded.jars import jars
from scripts.embedded.java import java_home
from scripts.embedded.paths import CACHE, CHECKOUT
from scripts.sample.schema import KEYSPACES, create_source_tables
from tests.harness.processes import SHORT_LIVED

KEYSPACE = "package_test"
SPARK_HOME = Path(pyspark.__file__).parent
COLLECTION = "application/vnd.ekstep.content-collection"
PYTHON = f"python3.{sys.version_info.minor}"
# What a machine that runs the tests has in place of a cluster and of a Maven repository.
HERE = {
    "python3.11": PYTHON,
    "--master yarn --deploy-mode client": "--master local-cluster[2,1,1024]",
    "--packages com.datastax.spark:spark-cassandra-connector_2.12:3.5.1": "--jars "
    + ",".join(map(str, jars(CONNECTOR))),
}
DEFAULTS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": SHORT_LIVED,
    "spark.executor.extraJavaOptions": SHORT_LIVED,
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}
VERSION = f"activity-aggregates {__version__}\n"
LACKING = "activity-aggregates: run needs pyspark"
OFFLINE = f"--no-index --find-links {CACHE / 'wheels'}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The archives of a release that was built twice, by users with other folders, time zones and file modes."""
    subprocess.run(
        [CHECKOUT / "scripts" / "locked", "audit"], check=True, capture_output=True
    )  # once, not twice at once
    builds = {}
    for zone, umask in (("UTC", 0o022), ("Asia/Tokyo", 0o077)):
        folder = tmp_path_factory.mktemp("dist")
        builds[folder] = subprocess.Popen(
            [CHECKOUT / "scripts" / "package", folder],
            env=os.environ | {"TZ": zone}, umask=umask, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    assert [build.wait() for build in builds.values()] == [0, 0]
    return [archive for folder in builds for archive in folder.glob("*.tar.gz")]


@pytest.fixture(scope="module")
def machine(built: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One onto which a release was copied, and unpacked as documented."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder / "python", symlinks=True)
    (folder / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in DEFAULTS.items()))
    machine = Machine(folder)
    machine.place.mkdir()
    for copied in (built[0], checksum_of(built[0])):
        shutil.copy(copied, machine.place)
    unpacked = machine.shell(documented("Unpack"), machine.place)
    assert unpacked.returncode == 0, unpacked.stderr
    return machine


@dataclass(frozen=True)
class Machine:
    """One with Spark, and a Python without packages; nothing of this environment is left to what it runs."""

    folder: Path

    @property
    def place(self) -> Path:
        """Where a release is copied to."""
        return self.folder / "empty"

    @property
    def release(self) -> Path:
        """The folder of the unpacked release."""
        (found,) = (path for path in self.place.iterdir() if path.is_dir())
        return found

    def shell(self, command: str, where: Path) -> subprocess.CompletedProcess[str]:
        """What a command line says and ends with; every line stops the rest when it fails."""
        names = [name for name in os.environ if name.startswith("CASSANDRA_")]
        environment = {name: os.environ[name] for name in names} | {
            "PATH": f"{self.folder / 'python' / 'bin'}:{SPARK_HOME / 'bin'}:{os.defpath}",
            "JAVA_HOME": str(java_home()),
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_CONF_DIR": str(self.folder),
            "SPARK_WORKER_DIR": str(self.folder / "work"),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        return subprocess.run(
            ["bash", "-e", "-c", command], cwd=where, env=environment, check=False, capture_output=True, text=True
        )


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


def checksum_of(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def documented(heading: str) -> str:
    """The lines to type below a heading of docs/installing.md, for this machine."""
    text = (CHECKOUT / "docs" / "installing.md").read_text("utf-8")
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL)
    lines = "".join(re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
    for there, here in HERE.items():
        lines = lines.replace(there, here)
    return lines


def test_a_release_is_the_same_to_the_byte_whenever_and_wherever_it_is_built(built: list[Path]) -> None:
    first, second = (hashlib.sha256(archive.read_bytes()).hexdigest() for archive in built)
    assert first == second


def test_a_release_holds_what_is_needed_and_its_checksums_vouch_for_all_of_it(machine: Machine) -> None:
    release = machine.release
    sums = dict(line.split("  ", 1)[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(release)): path for path in release.rglob("*") if path.is_file()}
    files = {name: path for name, path in files.items() if not name.startswith("env/")}
    del files["SHA256SUMS"]
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == sums
    assert {
        f"activity_aggregates-{__version__}-py3-none-any.whl", f"activity_aggregates-{__version__}.zip", "env.tar.gz",
        "jobs/run.py", "conf/default.yaml", "requirements/spark.lock", "deploy/cron/job", "docs/installing.md",
        "LICENSE", "CHANGELOG.md", "sbom.cdx.json",
    } <= files.keys()  # fmt: skip
    assert not [name for name in files if "__pycache__" in name]


def test_the_bill_of_materials_has_what_the_locks_and_the_list_of_jars_have(machine: Machine) -> None:
    listed = json.loads((machine.release / "sbom.cdx.json").read_text())["components"]
    hashes = {part["purl"]: sorted(each["content"] for each in part["hashes"]) for part in listed}
    lock = (machine.release / "requirements" / "job.lock").read_text()
    (numpy, of_numpy) = re.findall(r"^numpy==(\S+).*\n((?: .*\n)+)", lock, re.MULTILINE)[0]
    assert hashes[f"pkg:pypi/numpy@{numpy}"] == sorted(re.findall(r"sha256:(\w+)", of_numpy))
    jars_in_it = {purl: found for purl, found in hashes.items() if purl.startswith("pkg:maven/")}
    assert sorted(jars_in_it.values()) == sorted([artifact.sha256] for artifact in CONNECTOR.artifacts)
    names = {purl.removeprefix("pkg:pypi/") for purl in hashes.keys() - jars_in_it.keys()}
    locks = [(machine.release / "requirements" / f"{name}.lock").read_text() for name in ("job", "spark", "api")]
    assert names == {"@".join(pin) for text in locks for pin in re.findall(r"^(\S+?)==(\S+)", text, re.MULTILINE)}


def test_pip_brings_the_command_to_an_empty_folder_and_it_says_what_a_run_lacks(
    machine: Machine, tmp_path: Path
) -> None:
    venv.create(tmp_path / "python", symlinks=True)
    there = tmp_path / "python" / "bin"
    installed = machine.shell(
        f"{sys.executable} -m pip --python {there / PYTHON} install {OFFLINE} {wheel(machine)}", tmp_path
    )
    assert installed.returncode == 0, installed.stderr
    assert machine.shell(f"{there}/activity-aggregates --version", tmp_path).stdout == VERSION
    lacking = machine.shell(f"{there}/activity-aggregates run", tmp_path)
    assert (lacking.returncode, lacking.stderr.partition(",")[0]) == (2, LACKING)


def test_uvx_runs_the_command_in_an_empty_folder(machine: Machine, tmp_path: Path) -> None:
    uvx = f"{Path(sys.executable).with_name('uvx')} --cache-dir {tmp_path / 'cache'} --python {sys.executable}"
    shown = machine.shell(f"{uvx} {OFFLINE} --from {wheel(machine)} activity-aggregates --version", tmp_path)
    assert shown.stdout == VERSION, shown.stderr


def test_the_job_is_submitted_as_documented_to_executors_that_have_nothing_else(
    machine: Machine, cassandra: Session, tmp_path: Path
) -> None:
    load_a_learner_who_is_half_way(cassandra)
    (machine.release / "settings.yaml").write_text(yaml.safe_dump(settings(tmp_path / "runs")))
    submitted = machine.shell(documented("Submit"), machine.release)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    rows = cassandra.execute("SELECT activity_type, user_id, agg FROM activity_user_agg").all()
    assert [(row.activity_type, row.user_id, row.agg["completionPercentage"]) for row in rows] == [("Course", "u1", 50)]
    # spark-submit passes on both streams of a Python driver as its standard output.
    assert len(said_by_spark(submitted.stdout)) <= 3, "what Spark says before it knows how much it is to say"
    without = re.sub(r" *--conf spark.sql.extensions=.*\n", "", documented("Submit"))
    without = without.replace(
        "local-cluster[2,1,1024]", "local[1]"
    )  # it is refused before an executor has to do anything
    refused = machine.shell(without.replace("jobs/run.py", "jobs/run.py --incremental"), machine.release)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"start it with --conf spark.sql.extensions={EXTENSION}" in refused.stdout


def wheel(machine: Machine) -> Path:
    (found,) = machine.release.glob("*.whl")
    return found


def said_by_spark(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(r" (INFO|WARN|ERROR) ", line)]


def settings(runs: Path) -> dict[str, object]:
    return {
        "sources": {name: {"keyspace": KEYSPACE} for name in ("enrolments", "progress", "hierarchies", "attempts")},
        "target": {
            "keyspace": KEYSPACE,
            "replication": {"class": "SimpleStrategy", "replication_factor": 1},
        },
        "staging": {"dir": str(runs), "shared": True},
    }


def load_a_learner_who_is_half_way(cassandra: Session) -> None:
    leaves = [{"identifier": name, "mimeType": "video/mp4"} for name in ("l1", "l2")]
    tree = {"identifier": "c1", "mimeType": COLLECTION, "children": leaves}
    cassandra.execute("INSERT INTO content_hierarchy (identifier, hierarchy) VALUES ('c1', %s)", [json.dumps(tree)])
    cassandra.execute("INSERT INTO user_enrolments (userid, courseid, batchid, active) VALUES ('u1', 'c1', 'b1', true)")
    cassandra.execute(
        "INSERT INTO user_content_consumption (userid, courseid, batchid, contentid, status) "
        "VALUES ('u1', 'c1', 'b1', 'l1', 2)"
    )
