"""An erase on a Cassandra that demands a login over TLS: it works, and its secrets and whom it erases are seen nowhere.

An erase, because it is a run and more; on executors of their own, and with Spark's pages open.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyspark
import pytest
import yaml
from cassandra.cluster import Session

from activity_aggregates.configuration import load
from activity_aggregates.errors import Unreachable
from activity_aggregates.store.connection import connection, open_session
from scripts.embedded import instance
from scripts.embedded.ports import free_ports
from tests.harness.processes import are_over, command_line, descendants
from tests.harness.waiting import wait_until

ROOT = Path(__file__).parents[2]
PASSWORD = "Corr3ctHorse"
GONE = "learner-who-goes"
HIERARCHY = (
    '{"identifier": "c1", "mimeType": "application/vnd.ekstep.content-collection", "children": [{"identifier": "l1"}]}'
)

# What the user of a job needs, and no more: to read the sources, to keep the target.
SCHEMA = f"""
CREATE ROLE aggregator WITH PASSWORD = '{PASSWORD}' AND LOGIN = true;
CREATE KEYSPACE source WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}};
CREATE KEYSPACE target WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}};
CREATE TABLE source.user_enrolments (userid text, courseid text, batchid text, active boolean, status int,
    completedon timestamp, enrolled_date timestamp, lastcontentaccesstime timestamp,
    PRIMARY KEY (userid, courseid, batchid));
CREATE TABLE source.user_content_consumption (userid text, courseid text, batchid text, contentid text, status int,
    PRIMARY KEY (userid, courseid, batchid, contentid));
CREATE TABLE source.content_hierarchy (identifier text PRIMARY KEY, hierarchy text);
INSERT INTO source.user_enrolments (userid, courseid, batchid, active, status) VALUES ('u1', 'c1', 'b1', true, 1);
INSERT INTO source.user_enrolments (userid, courseid, batchid, active, status) VALUES ('{GONE}', 'c1', 'b1', true, 1);
INSERT INTO source.user_content_consumption (userid, courseid, batchid, contentid, status)
    VALUES ('u1', 'c1', 'b1', 'l1', 2);
INSERT INTO source.content_hierarchy (identifier, hierarchy) VALUES ('c1', '{HIERARCHY}');
GRANT SELECT ON KEYSPACE source TO aggregator;
GRANT CREATE ON KEYSPACE target TO aggregator;
GRANT SELECT ON KEYSPACE target TO aggregator;
GRANT MODIFY ON KEYSPACE target TO aggregator;
"""


@dataclass(frozen=True)
class Guarded:
    """A Cassandra that demands a login over TLS and certificates of clients, and what a user of the jobs has."""

    folder: Path
    admin: Session
    secrets: dict[str, str]
    pages: str

    @property
    def conf(self) -> Path:
        return self.folder / "conf.yaml"

    def given_away(self, text: str) -> list[str]:
        """What of the secrets, and of who is erased, stands in a text."""
        return [name for name, secret in {**self.secrets, "the learner": GONE}.items() if secret in text]


@dataclass(frozen=True)
class Ran:
    """What a command left behind: its exit code, its output, and what was seen while it ran."""

    exit_code: int
    output: str
    command_lines: str
    pages: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    name = f"test-secrets-{os.getpid()}"
    embedded("start", "--name", name, "--throwaway", "--heap", "512", "--auth", "--client-certificates")
    try:
        state = instance.running(name)
        folder = tmp_path_factory.mktemp("guarded")
        (port,) = free_ports(1, ["127.0.0.1"])
        (folder / "conf.yaml").write_text(yaml.safe_dump(guarded_settings(folder, state, port)))
        secrets = {name: value for name, value in state.variables.items() if name.endswith("STORE_PASSWORD")}
        secrets |= {"CASSANDRA_PASSWORD": PASSWORD, "ERASED_SECRET": "Staples-for-the-battery-horse"}
        given = load(None, state.variables, {}).settings.cassandra
        with open_session(connection(given, state.variables)) as admin:
            for statement in filter(str.strip, SCHEMA.split(";\n")):
                admin.execute(statement)
            yield Guarded(folder, admin, secrets, f"http://127.0.0.1:{port}/api/v1/applications")
    finally:
        embedded("stop", "--name", name)


def embedded(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "scripts.embedded", *arguments], cwd=ROOT, check=True, capture_output=True)


def guarded_settings(folder: Path, state: instance.State, port: int) -> dict[str, Any]:
    source = {"format": "cassandra", "keyspace": "source"}
    return {
        "cassandra": {
            "contact_points": state.contact_points,
            "port": state.port,
            "username": "aggregator",
            "tls": {
                "enabled": True,
                "ca_file": state.ca_file,
                "cert_file": state.client_file,
                "key_file": state.client_file,
                "truststore_file": state.truststore_file,
                "keystore_file": state.keystore_file,
            },
        },
        "target": {"keyspace": "target"},
        "sources": {"enrolments": source, "progress": source, "hierarchies": source, "attempts": None},
        "staging": {"dir": str(folder / "runs"), "shared": True},
        "erased": {"secret_env": "ERASED_SECRET"},
        "spark": {
            "master": "local-cluster[1,1,1024]",
            "conf": {
                "spark.log.level": "INFO",
                "spark.logConf": True,
                "spark.eventLog.enabled": True,
                "spark.eventLog.dir": folder.as_uri(),
                "spark.executor.memory": "512m",
                "spark.local.dir": str(folder / "local"),
                "spark.sql.shuffle.partitions": 2,
                "spark.ui.port": port,
            },
        },
    }


def ran(guarded: Guarded, command: str, *arguments: str, **secrets: str) -> Ran:
    """Runs the command as a process and looks at the list of processes and at Spark's pages until it ends.

    The JVM ends after its driver; until then files come and go.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CASSANDRA_")} | secrets
    environ["SPARK_WORKER_DIR"] = str(guarded.folder / "work")
    called = command_line(command, *arguments, "--conf", guarded.conf)
    seen, pages, started = set[str](), dict[str, str](), set[int]()
    with (guarded.folder / f"{command}.txt").open("w+") as output:
        process = subprocess.Popen(called, env=environ, cwd=guarded.folder, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            seen |= command_lines()
            started |= {*descendants(process.pid)}
            pages |= spark_pages(guarded.pages)
            time.sleep(0.5)
        wait_until(lambda: are_over(started), "what the command has started goes on")
        output.seek(0)
        return Ran(process.returncode, output.read(), "\n".join(seen), pages)


def spark_pages(address: str) -> dict[str, str]:
    """What Spark's pages say of the application that runs, by their names; nothing while there is none."""
    try:
        (application,) = httpx.get(address).json()
        names = ("environment", "allexecutors", "jobs", "stages", "sql?details=true&planDescription=true&length=1000")
        found = {name: httpx.get(f"{address}/{application['id']}/{name}", timeout=60) for name in names}
    except (httpx.HTTPError, ValueError):
        return {}
    return {name: page.text for name, page in found.items() if page.status_code == httpx.codes.OK}


def command_lines() -> set[str]:
    listed = subprocess.run(["ps", "-e", "-ww", "-o", "args="], check=True, capture_output=True, text=True)
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def erased(guarded: Guarded) -> Ran:
    migrated = ran(guarded, "migrate", **guarded.secrets)
    assert migrated.exit_code == 0, migrated.output
    guarded.admin.execute(
        "UPDATE target.activity_user_agg SET agg = agg + {'pageViews': 7} WHERE activity_type = 'Course' "
        "AND activity_id = 'c1' AND user_id = %s AND context_id = 'cb:b1'",
        [GONE],
    )
    users = guarded.folder / "users.txt"
    users.write_text(f"{GONE}\n")
    return ran(guarded, "erase", "--users-file", str(users), **guarded.secrets)


def test_the_driver_and_the_connector_reach_it(guarded: Guarded, erased: Ran) -> None:
    assert erased.exit_code == 0, erased.output
    (row,) = guarded.admin.execute("SELECT user_id, agg FROM target.activity_user_agg")
    assert (row.user_id, row.agg["completedCount"]) == ("u1", 1)
    assert "1 rows erased" in erased.output


def test_no_secret_is_in_the_output_even_when_spark_logs_its_configuration(guarded: Guarded, erased: Ran) -> None:
    assert "Spark configuration:" in erased.output
    assert not guarded.given_away(erased.output)


def test_no_secret_is_in_the_list_of_processes_of_the_driver_and_of_executors(guarded: Guarded, erased: Ran) -> None:
    assert "spark.logConf=true" in erased.command_lines
    assert "CoarseGrainedExecutorBackend" in erased.command_lines
    assert not guarded.given_away(erased.command_lines)


def test_no_secret_is_in_the_logs_of_executors(guarded: Guarded, erased: Ran) -> None:
    assert erased.exit_code == 0
    (event_log,) = guarded.folder.glob("app-*")
    logs = Path(pyspark.__file__).parent / "work" / event_log.stem  # where executors on this machine keep them
    text = "\n".join(path.read_text(errors="replace") for path in logs.glob("*/std*"))
    shutil.rmtree(logs)
    assert " INFO " in text
    assert not guarded.given_away(text)


def test_no_secret_is_on_the_pages_of_spark(guarded: Guarded, erased: Ran) -> None:
    assert "spark.eventLog.dir" in erased.pages["environment"]
    assert "user_enrolments" in "".join(erased.pages.values())
    assert len(erased.pages) == 5
    assert not guarded.given_away("".join(erased.pages.values()))


def test_no_secret_is_in_the_event_log_of_spark(guarded: Guarded, erased: Ran) -> None:
    (event_log,) = guarded.folder.glob("app-*")
    text = event_log.read_text()
    assert "user_enrolments" in text
    assert "MapInArrow" in text
    assert not guarded.given_away(text)


def test_no_secret_is_in_a_file_that_is_left(guarded: Guarded, erased: Ran) -> None:
    """Spark's own folders among them; whoever asked for an erase has said whom."""
    assert erased.exit_code == 0
    left = {path.name: path.read_bytes() for path in guarded.folder.rglob("*") if path.is_file()}
    found = {name: guarded.given_away(content.decode("latin-1")) for name, content in left.items()}
    assert {name: given for name, given in found.items() if given} == {"users.txt": ["the learner"]}


def test_no_secret_is_in_the_ledger_or_in_a_report(guarded: Guarded, erased: Ran) -> None:
    assert erased.exit_code == 0
    rows = [
        guarded.admin.execute(f"SELECT * FROM target.{table}").all() for table in ("aggregate_runs", "aggregate_lease")
    ]
    assert "erase" in repr(rows)
    assert not guarded.given_away(repr(rows))
    reported = ran(guarded, "report", "last", "--json", **guarded.secrets)
    assert reported.exit_code == 0, reported.output
    assert not guarded.given_away(reported.output)


def test_the_password_may_be_in_a_file(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    kept = {name: value for name, value in guarded.secrets.items() if name != "CASSANDRA_PASSWORD"}
    found = ran(guarded, "migrate", "--set", f"cassandra.password_file={file}", CASSANDRA_PASSWORD="another", **kept)
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({}, "refuses the user aggregator: check name and password"),
        ({"cassandra.username": None}, "asks for a user: set cassandra.username"),
        ({"cassandra.tls.ca_file": None}, "certificate verify failed"),
        ({"cassandra.tls.cert_file": None, "cassandra.tls.key_file": None}, "cassandra.tls are right"),
        ({"cassandra.tls.enabled": False}, "cassandra.tls are right"),
    ],
)
def test_who_is_not_let_in_is_told_why(guarded: Guarded, flags: dict[str, Any], sentence: str) -> None:
    cassandra = load(guarded.conf, {}, flags).settings.cassandra
    with pytest.raises(Unreachable) as caught, open_session(connection(cassandra, {"CASSANDRA_PASSWORD": "wrong"})):
        pass
    assert sentence in str(caught.value)
