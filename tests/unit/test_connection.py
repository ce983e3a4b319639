"""How the settings say where Cassandra is, and what is said where that cannot be."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cassandra import OperationTimedOut, Unauthorized
from cassandra.query import SimpleStatement

from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.store.connection import (
    Connection,
    asked_elsewhere,
    connection,
    open_session,
    read,
    spark_options,
)
from scripts.embedded import certificates


def connected_by(**cassandra: Any) -> Connection:
    flags = {f"cassandra.{key}": value for key, value in cassandra.items()}
    return connection(load(None, {}, flags).settings.cassandra, {})


def test_a_bundle_stands_for_hosts_port_and_datacenter() -> None:
    options = spark_options(connected_by(secure_connect_bundle="bundle.zip"))
    assert options["spark.cassandra.connection.config.cloud.path"] == "bundle.zip"
    assert not {key for key in options if key.endswith((".host", ".port", ".localDC"))}


def test_a_bundle_and_tls_of_ones_own_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"leave cassandra\.tls\.enabled false"):
        connected_by(secure_connect_bundle="bundle.zip", tls={"enabled": True})


def test_what_is_no_bundle_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("no zip file")
    for path in (other, tmp_path / "missing.zip"):
        refused = pytest.raises(BadRequest, match=f"{path} is no readable bundle")
        with refused, open_session(connected_by(secure_connect_bundle=str(path))):
            pass


def test_a_zip_file_that_is_no_bundle_is_refused_by_name(tmp_path: Path) -> None:
    for config in ({}, {"other.txt": ""}, {"config.json": "[]", "ca.crt": "", "cert": "", "key": ""}):
        with ZipFile(tmp_path / "other.zip", "w") as other:
            for name, text in config.items():
                other.writestr(name, text)
        refused = pytest.raises(BadRequest, match=r"other\.zip is no readable bundle")
        with refused, open_session(connected_by(secure_connect_bundle=str(tmp_path / "other.zip"))):
            pass


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS")  # of the driver
def test_a_bundle_whose_certificates_are_none_is_named(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "bundle.zip", "w") as bundle:
        for name in ("config.json", "ca.crt", "cert", "key"):
            bundle.writestr(name, "{}")
    unreachable = pytest.raises(Unreachable, match=r"the database of .*bundle\.zip cannot be reached")
    with unreachable, open_session(connected_by(secure_connect_bundle=str(tmp_path / "bundle.zip"))):
        pass


@pytest.mark.parametrize("host", ["a b", "cassandra-1..example.org", ".example.org", "x" * 64])
def test_what_is_no_name_of_a_host_is_said(host: str) -> None:
    unreachable = pytest.raises(Unreachable, match=r"is not the name of a host: check cassandra\.contact_points")
    with unreachable, open_session(connected_by(contact_points=[host])):
        pass


def test_contact_points_are_split_at_commas_and_blank_ones_name_nobody() -> None:
    assert connected_by(contact_points=["a,b", ""]).contact_points == ("a", "b")
    with pytest.raises(BadRequest, match=r"cassandra\.contact_points ',' names no host"):
        connected_by(contact_points=[","])


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS")  # of the driver
def test_a_database_that_does_not_answer_is_named_by_its_bundle(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    bundle = made_bundle(tmp_path, {"host": "127.0.0.1", "port": port, "keyspace": "k", "localDC": "dc"})
    unreachable = pytest.raises(Unreachable, match=f"the database of {bundle} cannot be reached")
    with unreachable, open_session(connected_by(secure_connect_bundle=str(bundle))):
        pass


def made_bundle(folder: Path, config: dict[str, object]) -> Path:
    """The files that a bundle holds: whom to trust, who one is, and whom to ask for the nodes."""
    made = certificates.make(folder / "tls", ["127.0.0.1"])
    with ZipFile(folder / "bundle.zip", "w") as bundle:
        bundle.writestr("config.json", json.dumps(config))
        bundle.write(made.authority, "ca.crt")
        bundle.write(made.node, "cert")
        bundle.write(made.node, "key")
    return folder / "bundle.zip"


class StandingStill:
    """A session of a cluster in which nobody answers the first questions."""

    def __init__(self, unanswered: int, why: type[Exception] = OperationTimedOut) -> None:
        self.asked: list[SimpleStatement] = []
        self._unanswered = unanswered
        self._why = why

    def execute(self, statement: SimpleStatement) -> list[str]:
        self.asked.append(statement)
        if len(self.asked) <= self._unanswered:
            raise self._why
        return ["a row"]


def test_what_reads_asks_again_until_there_is_an_answer_and_two_nodes_at_a_time() -> None:
    session: Any = StandingStill(unanswered=2)
    assert read(session, "SELECT") == ["a row"]
    assert [statement.is_idempotent for statement in session.asked] == [True] * 3
    policy = asked_elsewhere(30.0)
    assert (policy.delay, policy.max_attempts) == (6.0, 1)


def test_what_is_never_answered_is_unreachable() -> None:
    session: Any = StandingStill(unanswered=9)
    with pytest.raises(Unreachable, match="Cassandra was lost or did not answer in time"):
        read(session, "SELECT", retry_seconds=0.0)
    assert len(session.asked) == 1


def test_what_is_forbidden_is_not_asked_again() -> None:
    session: Any = StandingStill(unanswered=1, why=Unauthorized)
    with pytest.raises(Unreachable, match="grant the user this permission"):
        read(session, "SELECT")
    assert len(session.asked) == 1
