"""An erase on a Cassandra that demands a login over TLS: it works, and its secrets and whom it erases are seen nowhere.

An erase, because it is a run and more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassandra.cluster import Session
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
from cryptography.x509 import load_pem_x509_certificate

from activity_aggregates.configuration import load
from activity_aggregates.errors import Unreachable
from activity_aggregates.store.connection import Connection, connection, open_session
from tests.harness.processes import command_line

ROOT = Path(__file__).parents[2]
PASSWORD = "Corr3ctHorse"
STORE_PASSWORD = "Batt3ryStapl3"
SECRETS = {
    "CASSANDRA_PASSWORD": PASSWORD,
    "CASSANDRA_TRUSTSTORE_PASSWORD": STORE_PASSWORD,
    "ERASED_SECRET": "Staples-for-the-battery-horse",
}
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
    """A Cassandra that demands a login over TLS, and the conf file of a user that may run the jobs."""

    conf: Path
    admin: Session
    event_logs: Path


@dataclass(frozen=True)
class Ran:
    """What a command left behind: its exit code, its output and every command line seen while it ran."""

    exit_code: int
    output: str
    command_lines: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    name = f"test-secrets-{os.getpid()}"
    embedded("start", "--name", name, "--throwaway", "--heap", "512", "--auth", "--tls")
    try:
        state = json.loads((ROOT / ".cassandra" / name / "state.json").read_text())
        folder = tmp_path_factory.mktemp("guarded")
        settings = guarded_settings(folder, state)
        conf = folder / "conf.yaml"
        conf.write_text(yaml.safe_dump(settings))
        with open_session(admin_connection(state)) as admin:
            for statement in filter(str.strip, SCHEMA.split(";\n")):
                admin.execute(statement)
            yield Guarded(conf, admin, folder)
    finally:
        embedded("stop", "--name", name)


def embedded(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "scripts.embedded", *arguments], cwd=ROOT, check=True, capture_output=True)


def admin_connection(state: dict[str, Any]) -> Connection:
    flags = {
        "cassandra.contact_points": state["contact_points"],
        "cassandra.port": state["port"],
        "cassandra.username": state["username"],
        "cassandra.tls": {"enabled": True, "ca_file": state["ca_file"]},
    }
    environ = {"CASSANDRA_PASSWORD": state["password"]}
    return connection(load(None, {}, flags).settings.cassandra, environ)


def guarded_settings(folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    authority = load_pem_x509_certificate(Path(state["ca_file"]).read_bytes())
    truststore = folder / "trust.p12"
    encryption = BestAvailableEncryption(STORE_PASSWORD.encode())
    truststore.write_bytes(serialize_java_truststore([PKCS12Certificate(authority, b"authority")], encryption))
    source = {"format": "cassandra", "keyspace": "source"}
    return {
        "cassandra": {
            "contact_points": state["contact_points"],
            "port": state["port"],
            "username": "aggregator",
            "tls": {"enabled": True, "ca_file": state["ca_file"], "truststore_file": str(truststore)},
        },
        "target": {"keyspace": "target"},
        "sources": {"enrolments": source, "progress": source, "hierarchies": source, "attempts": None},
        "staging": {"dir": str(folder / "runs")},
        "erased": {"secret_env": "ERASED_SECRET"},
        "spark": {
            "master": "local[1]",
            "conf": {
                "spark.log.level": "INFO",
                "spark.logConf": True,
                "spark.eventLog.enabled": True,
                "spark.eventLog.dir": folder.as_uri(),
                "spark.sql.shuffle.partitions": 2,
                "spark.ui.enabled": False,
            },
        },
    }


def ran(conf: Path, command: str, *arguments: str, **secrets: str) -> Ran:
    """Runs the command as a process and looks at the list of processes until it ends."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CASSANDRA_")} | secrets
    called = command_line(command, *arguments, "--conf", conf)
    seen: set[str] = set()
    with (conf.parent / "output.txt").open("w+") as output:
        process = subprocess.Popen(called, env=environ, cwd=conf.parent, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            seen |= command_lines()
            time.sleep(0.5)
        output.seek(0)
        return Ran(process.returncode, output.read(), "\n".join(seen))


def command_lines() -> set[str]:
    listed = subprocess.run(["ps", "-e", "-ww", "-o", "args="], check=True, capture_output=True, text=True)
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def erased(guarded: Guarded) -> Ran:
    migrated = ran(guarded.conf, "migrate", **SECRETS)
    assert migrated.exit_code == 0, migrated.output
    guarded.admin.execute(
        "UPDATE target.activity_user_agg SET agg = agg + {'pageViews': 7} WHERE activity_type = 'Course' "
        "AND activity_id = 'c1' AND user_id = %s AND context_id = 'cb:b1'",
        [GONE],
    )
    users = guarded.conf.parent / "users.txt"
    users.write_text(f"{GONE}\n")
    return ran(guarded.conf, "erase", "--users-file", str(users), **SECRETS)


def test_the_driver_and_the_connector_reach_it(guarded: Guarded, erased: Ran) -> None:
    assert erased.exit_code == 0, erased.output
    (row,) = guarded.admin.execute("SELECT user_id, agg FROM target.activity_user_agg")
    assert (row.user_id, row.agg["completedCount"]) == ("u1", 1)
    assert "1 rows erased" in erased.output


def test_no_secret_is_in_the_output_even_when_spark_logs_its_configuration(erased: Ran) -> None:
    assert "Spark configuration:" in erased.output
    assert not given_away(erased.output)


def test_no_secret_is_in_the_list_of_processes(erased: Ran) -> None:
    assert "spark.logConf=true" in erased.command_lines
    assert not given_away(erased.command_lines)


def test_no_secret_is_in_the_event_log_of_spark(guarded: Guarded, erased: Ran) -> None:
    (event_log,) = guarded.event_logs.glob("local-*")
    text = event_log.read_text()
    assert "user_enrolments" in text
    assert "MapInArrow" in text
    assert not given_away(text)


def given_away(text: str) -> list[str]:
    return [name for name, secret in {**SECRETS, "the learner": GONE}.items() if secret in text]


def test_the_password_may_be_in_a_file(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    found = ran(guarded.conf, "migrate", "--set", f"cassandra.password_file={file}", CASSANDRA_PASSWORD="another")
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({}, "refuses the user aggregator: check name and password"),
        ({"cassandra.username": None}, "asks for a user: set cassandra.username"),
        ({"cassandra.tls.ca_file": None}, "certificate verify failed"),
        ({"cassandra.tls.enabled": False}, "cassandra.tls are right"),
    ],
)
def test_who_is_not_let_in_is_told_why(guarded: Guarded, flags: dict[str, Any], sentence: str) -> None:
    cassandra = load(guarded.conf, {}, flags).settings.cassandra
    with pytest.raises(Unreachable) as caught, open_session(connection(cassandra, {"CASSANDRA_PASSWORD": "wrong"})):
        pass
    assert sentence in str(caught.value)
