"""A store that dies, hangs and comes back while the server runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cassandra.cluster import NoHostAvailable, Session

from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, open_session
from scripts.embedded.paths import CHECKOUT, INSTANCES
from tests.harness.api import GROUP, Api, api_settings, key_pair, refusal, served
from tests.harness.environment import environment
from tests.harness.roles import leave
from tests.harness.waiting import wait_until

WAITING = 300  # requests
NAME = f"test-api-{os.getpid()}"
UNAVAILABLE = (
    503,
    "SERVICE_UNAVAILABLE",
    "SERVICE_UNAVAILABLE",
    "The aggregates cannot be read right now: try again.",
)


def start() -> None:
    """The first time on any port, then on the same."""
    port = ["--port", str(state()[1])] if (INSTANCES / NAME / "state.json").exists() else []
    embedded("start", "--heap", "400", *port)


def embedded(command: str, *options: str) -> None:
    whole = [sys.executable, "-m", "scripts.embedded", command, "--name", NAME, *options]
    subprocess.run(whole, cwd=CHECKOUT, check=True, capture_output=True)


def state() -> tuple[int, int]:
    """Process id and port."""
    known = json.loads((INSTANCES / NAME / "state.json").read_text())
    (pid,) = known["pids"]
    return int(pid), known["port"]


def signalled(number: signal.Signals) -> None:
    os.kill(state()[0], number)


@pytest.fixture
def cassandra(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A Cassandra of this test's own, which keeps its data when it is killed."""
    try:
        start()
        leave(monkeypatch)
        monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", "127.0.0.1")
        monkeypatch.setenv("CASSANDRA_PORT", str(state()[1]))
        with open_session(connection(load(None, os.environ, {}).settings.cassandra, os.environ)) as session:
            yield session
    finally:
        embedded("stop")
        shutil.rmtree(INSTANCES / NAME, ignore_errors=True)


def wait_for(session: Session) -> None:
    """The driver finds a node that has come back by itself, after a while."""

    def answers() -> bool:
        try:
            session.execute("SELECT key FROM system.local")
        except NoHostAvailable:
            return False
        return True

    wait_until(answers, "the driver does not find the node again")


@pytest.fixture
def api(cassandra: Session, tmp_path: Path) -> Iterator[Api]:
    keys = key_pair()
    with environment(cassandra, tmp_path) as world:
        world.store.load("group", [{"id": "g1", "status": "active", "activities": []}])
        world.store.load("group_member", [{"groupid": "g1", "userid": "u1", "status": "active"}])
        settings = {"api": {**api_settings(tmp_path, keys), "read_timeout": 1}}
        with served(world.configure(settings, tmp_path), keys) as api:
            yield api
        wait_for(cassandra)


def until(api: Api, status: int) -> httpx.Response:
    """The first answer with this status; until then it is one of the two that come to pass here."""
    answers = []

    def has_come() -> bool:
        answers.append(api.ask(GROUP, groupId="g1"))
        assert answers[-1].status_code in (200, 503)
        return answers[-1].status_code == status

    wait_until(has_come)
    return answers[-1]


def asked_alone(api: Api) -> httpx.Response:
    """By a client of its own, as others ask at the same time."""
    with httpx.Client(base_url=api.client.base_url, timeout=60) as client:
        return replace(api, client=client).ask(GROUP, groupId="g1")


def test_the_server_outlives_a_store_that_hangs_or_dies_and_recovers_by_itself(api: Api) -> None:
    until(api, 200)

    signalled(signal.SIGSTOP)  # it hangs: reads time out
    try:
        assert_readiness_is_told_before_requests_that_hang(api)
        assert refusal(until(api, 503)) == UNAVAILABLE
    finally:
        signalled(signal.SIGCONT)
    until(api, 200)

    signalled(signal.SIGKILL)
    response = until(api, 503)
    assert refusal(response) == UNAVAILABLE
    assert response.headers["retry-after"] == "5"
    assert api.client.get("/health/live").status_code == 200
    assert refusal(api.client.get("/health/ready")) == UNAVAILABLE

    start()
    until(api, 200)
    assert api.client.get("/health/ready").status_code == 200
    assert "Traceback" not in api.errors.read_text()


def assert_readiness_is_told_before_requests_that_hang(api: Api) -> None:
    """More of them than there are threads to answer them."""
    with ThreadPoolExecutor(WAITING) as pool, httpx.Client(base_url=api.client.base_url, timeout=60) as client:
        waiting = [pool.submit(asked_alone, api) for _ in range(WAITING)]
        wait_until(lambda: any(future.done() for future in waiting))
        assert refusal(client.get("/health/ready")) == UNAVAILABLE
        assert client.get("/health/live").status_code == 200
        assert not all(future.done() for future in waiting)
        assert {future.result().status_code for future in waiting} == {503}
