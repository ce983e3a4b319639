"""scripts/cassandra: what a developer meets at the terminal, on real processes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.embedded import client, instance
from scripts.embedded.artifacts import CASSANDRA, NEWEST
from scripts.embedded.paths import CHECKOUT, INSTANCES


def cassandra(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.embedded", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | environment, check=False, capture_output=True, text=True
    )


@pytest.fixture
def name() -> Iterator[str]:
    """The name of an instance that is gone after the test, whatever the test did."""
    name = f"test-{os.getpid()}"  # of this form scripts/test finds what a killed run left behind
    yield name
    cassandra("stop", "--name", name)
    shutil.rmtree(INSTANCES / name, ignore_errors=True)


def test_data_outlive_a_stop_and_a_second_start_changes_nothing(name: str) -> None:
    start = ("start", "--name", name, "--heap", "400")
    assert cassandra(*start).returncode == 0
    keyspace = "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    assert cassandra("cql", "--name", name, keyspace).stdout == "\n"
    assert cassandra(*start).stdout == cassandra("status", "--name", name).stdout
    refused = cassandra("nodetool", "--name", name, "nonsense")
    assert (refused.returncode, refused.stderr) == (1, "nodetool: Found unexpected parameters: [nonsense]\n")
    assert cassandra("stop", "--name", name).returncode == 0
    assert cassandra("status", "--name", name).returncode == 1
    assert cassandra(*start).returncode == 0
    kept = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'kept'"
    assert cassandra("cql", "--name", name, kept).stdout == "keyspace_name\nkept\n"


def test_a_login_and_tls_are_demanded_where_they_were_asked_for(name: str) -> None:
    start = ("start", "--name", name, "--heap", "400", "--throwaway", "--auth", "--client-certificates")
    assert cassandra(*start).returncode == 0
    asked = cassandra("cql", "--name", name, "SELECT role FROM system_auth.roles")
    assert (asked.stdout, asked.stderr) == ("role\ncassandra\n", "")
    state = instance.running(name)
    assert not client.answers(replace(state, ca_file=None))
    assert not client.answers(replace(state, client_file=None))
    assert not client.answers(replace(state, username=None))
    refused = cassandra("start", "--name", name, "--auth").stderr
    assert "with a login, with TLS and with certificates of clients: stop it first" in refused
    assert cassandra("stop", "--name", name).returncode == 0
    assert not (INSTANCES / name).exists()


def test_a_taken_port_is_refused_in_one_sentence(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = cassandra("start", "--name", name, "--port", port)
    assert refused.returncode == 1
    assert refused.stderr == f"port {port} is taken on 127.0.0.1: give another --port, or none to get a free one.\n"


def test_an_unknown_release_is_refused_with_those_that_there_are(name: str) -> None:
    sentence = "there is no Cassandra '3.11' here: --version, or CASSANDRA_VERSION, is one of 5.0, 4.1, 4.0.\n"
    assert cassandra("start", "--name", name, "--version", "3.11").stderr == sentence
    assert cassandra("start", "--name", name, CASSANDRA_VERSION="3.11").stderr == sentence


def test_data_of_another_release_are_left_alone(name: str) -> None:
    (INSTANCES / name).mkdir(parents=True)
    state = {"contact_points": [], "port": 1, "storage_port": 2, "pids": {}, "throwaway": False}
    (INSTANCES / name / "state.json").write_text(json.dumps(state))
    refused = cassandra("start", "--name", name, "--version", "4.1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"the data of '{name}' were written by Cassandra 5.0" in refused.stderr


def test_a_heap_that_does_not_fit_is_refused_in_one_sentence(name: str) -> None:
    refused = cassandra("start", "--name", name, "--heap", str(2**30))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "give a smaller --heap" in refused.stderr


def test_a_jar_that_is_not_the_committed_one_is_refused(name: str, tmp_path: Path) -> None:
    closure = CASSANDRA[NEWEST]
    folder = tmp_path / "jars" / closure.folder.name
    folder.mkdir(parents=True)
    for jar in closure.artifacts:
        (folder / jar.file).symlink_to(closure.folder / jar.file)
    (folder / "snakeyaml-2.1.jar").unlink()
    (folder / "snakeyaml-2.1.jar").write_bytes(b"something else")
    refused = cassandra("start", "--name", name, ACTIVITY_AGGREGATES_CACHE=str(tmp_path))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "(snakeyaml-2.1.jar)" in refused.stderr


def test_without_jars_and_network_one_sentence_says_what_to_do(name: str, tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "ACTIVITY_AGGREGATES_CACHE": str(tmp_path)}
    refused = cassandra("start", "--name", name, **nowhere)
    assert refused.returncode == 1
    assert "connect this machine to a Maven repository once" in refused.stderr.splitlines()[-1]


def test_a_process_that_is_not_the_recorded_node_is_left_alone(name: str) -> None:
    (INSTANCES / name).mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pids = {str(stranger.pid): "-Dcassandra.config=file:///somewhere/cassandra.yaml"}
        state = {"contact_points": [], "port": 1, "storage_port": 2, "pids": pids, "throwaway": True}
        (INSTANCES / name / "state.json").write_text(json.dumps(state))
        assert "was not running" in cassandra("stop", "--name", name).stdout
        assert stranger.poll() is None
        stranger.terminate()
