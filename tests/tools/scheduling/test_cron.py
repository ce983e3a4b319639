"""The script that cron starts, with the command itself, the store, and the logger of the system."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from cassandra.cluster import Session

from scripts.embedded.paths import CHECKOUT

LOGGER = shutil.which("logger")
JOB = CHECKOUT / "deploy" / "cron" / "job"

pytestmark = pytest.mark.skipif(LOGGER is None, reason="there is no logger on this machine")


class Cron:
    """Starts the script as cron would: a short PATH, secrets in a file, and a syslog."""

    def __init__(self, folder: Path, syslog: socket.socket) -> None:
        self._folder = folder
        self._syslog = syslog
        self.variables = {name: os.environ[name] for name in ("CASSANDRA_CONTACT_POINTS", "CASSANDRA_PORT")}

    def start(self, *arguments: str | Path) -> int:
        secrets = self._folder / "job.env"
        secrets.write_text("# where the store is\n" + "".join(f"{k}={v}\n" for k, v in self.variables.items()))
        path = os.pathsep.join([str(self._folder), str(Path(sys.executable).parent), os.defpath])
        environment = {"PATH": path, "AGGREGATES_ENVIRONMENT": str(secrets)}
        return subprocess.run([JOB, *arguments], env=environment, check=False).returncode

    def logged(self) -> list[str]:
        """What syslog was told since it was last asked."""
        told = []
        self._syslog.setblocking(False)
        while True:
            try:
                told.append(self._syslog.recv(65536).decode().partition(" activity-aggregates: ")[2].strip("\n\0"))
            except BlockingIOError:
                return told


@pytest.fixture
def cron(cassandra: Session, tmp_path: Path) -> Iterator[Cron]:
    """Syslog is a socket of the test, to which the system's own logger is told to write."""
    logger = tmp_path / "logger"
    logger.write_text(f'#!/bin/sh\nexec {LOGGER} --socket "{tmp_path}/log" "$@"\n')
    logger.chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        yield Cron(tmp_path, syslog)


def test_cron_gets_every_exit_code_and_syslog_the_sentence(cron: Cron, cassandra: Session, tmp_path: Path) -> None:
    keyspace = f"cron_{uuid4().hex[:12]}"
    settings = tmp_path / "settings.yaml"
    replication = {"class": "SimpleStrategy", "replication_factor": 1}
    settings.write_text(yaml.safe_dump({"target": {"keyspace": keyspace, "replication": replication}}))
    try:
        assert cron.start("migrate", "--check", "--conf", settings) == 1
        assert cron.logged()[-1] == "migrate ended with exit code 1"
        assert cron.start("migrate", "--conf", settings) == 0
        assert cron.logged()[-1] == "migrate ended with exit code 0"
        assert cron.start("migrate", "--conf", tmp_path / "none.yaml") == 2
        sentence, code = cron.logged()
        assert sentence.startswith(f"activity-aggregates: --conf {tmp_path}/none.yaml cannot be read")
        assert code == "migrate ended with exit code 2"
        cron.variables["CASSANDRA_PORT"] = "1"
        assert cron.start("migrate", "--check", "--conf", settings) == 3
        assert "127.0.0.1" in cron.logged()[0]
    finally:
        cassandra.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
