"""Starting and stopping the server as a user does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from activity_aggregates.api.deployment import deployment
from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest
from tests.harness import roles
from tests.harness.api import GROUP, KeyPair, api_settings, key_pair, serve_command, served
from tests.harness.environment import Environment
from tests.harness.log_lines import message
from tests.harness.waiting import wait_until
from tests.integration.api.conftest import OTHER_PORT

SUPERVISORS_SECONDS = 20  # as the unit of systemd gives it to end


@pytest.fixture
def keys() -> KeyPair:
    return key_pair()


def refused(world: Environment, folder: Path, api: dict[str, Any], insecure_local: bool = False, **environ: str) -> str:
    """The sentence with which a start is refused, before a port is taken."""
    conf, secrets = world.configure({"api": api}, folder), {**roles.variables(roles.JOB), **environ}
    with pytest.raises(BadRequest) as caught:
        deployment(load(conf, os.environ, {}).settings, secrets, insecure_local)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_by_the_command(conf: Path, *arguments: str) -> str:
    """The sentence with which the command ends, alone on standard error."""
    done = subprocess.run(serve_command(conf, *arguments), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    return done.stderr.removeprefix("activity-aggregates: ").strip()


def test_without_keys_it_does_not_start(world: Environment, tmp_path: Path) -> None:
    assert refused_by_the_command(world.configure({}, tmp_path)) == (
        "api.key_file is not set, so no token could be checked: name a PEM or JWKS file of public keys, "
        "or try it without tokens on this machine alone with --insecure-local"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "192.0.2.1"])
def test_without_keys_it_serves_no_other_machine(world: Environment, tmp_path: Path, host: str) -> None:
    assert refused(world, tmp_path, {"host": host}, insecure_local=True).endswith("set api.host to 127.0.0.1")


def test_keys_are_not_ignored(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    sentence = "--insecure-local would ignore api.key_file: leave out one of them"
    assert refused(world, tmp_path, api_settings(tmp_path, keys), insecure_local=True) == sentence


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"key_file": "/nowhere.pem"}, "api.key_file /nowhere.pem cannot be read (No such file or directory)"),
        ({"issuer": None}, "tokens of any origin would be accepted: set api.issuer"),
        ({"audience": [], "issuer": ""}, "api.audience"),
        ({"member_scores": "some"}, "api.member_scores"),
        ({"member_scores": {"roles": []}}, "api.member_scores"),
        ({"metrics_address": "somewhere"}, "api.metrics_address"),
        ({"metrics_address": "127.0.0.1:65536"}, "api.metrics_address"),
        ({"cors_origins": ["portal.example.org"]}, "api.cors_origins"),
        ({"cors_origins": ["https://portal.example.org/"]}, "api.cors_origins"),
        ({"profile": {"role": "firstname"}}, "api.profile role is what every member is shown with already"),
        ({"profile": ["name"]}, "api.profile"),
        ({"algorithms": ["RS256"]}, "holds no key for RS256"),
        ({"algorithms": ["HS256"]}, "api.algorithms"),
        ({"port": 65536}, "api.port"),
        ({"page_size": 2000}, "api.page_size 2000 is above api.max_page_size 1000"),
        ({"paging_secret_file": "/nowhere"}, "api.paging_secret_file /nowhere cannot be read"),
        ({"unknown": 1}, "api.unknown"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(
    world: Environment, tmp_path: Path, keys: KeyPair, wrong: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(world, tmp_path, {**api_settings(tmp_path, keys), **wrong})


@pytest.mark.parametrize("content", [b"", b"no key", b"{}", b'{"keys": []}', b"-----BEGIN PUBLIC KEY-----\n"])
def test_a_file_without_keys_is_refused(world: Environment, tmp_path: Path, keys: KeyPair, content: bytes) -> None:
    settings = api_settings(tmp_path, keys)
    Path(settings["key_file"]).write_bytes(content)
    assert f"api.key_file {settings['key_file']} holds no" in refused(world, tmp_path, settings)


def test_a_private_key_is_refused(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    settings = api_settings(tmp_path, keys)
    Path(settings["key_file"]).write_bytes(keys.private)
    assert "a private key, which the API must not have" in refused(world, tmp_path, settings)


def test_a_short_paging_secret_is_refused(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    sentence = refused(world, tmp_path, api_settings(tmp_path, keys), API_PAGING_SECRET="short")
    assert sentence == "the variable API_PAGING_SECRET holds a secret of 5 bytes: use at least 16"


def test_a_taken_port_is_refused(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        conf = world.configure({"api": {**api_settings(tmp_path, keys), "port": port}}, tmp_path)
        sentence = refused_by_the_command(conf)
    assert sentence.startswith(f"127.0.0.1 port {port} cannot be listened on (Address already in use)")


def test_without_group_sources_it_does_not_start(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    conf = world.configure({"api": api_settings(tmp_path, keys), "sources": {"groups": None}}, tmp_path)
    assert "the read API needs sources.groups in Cassandra" in refused_by_the_command(conf)


def test_asked_for_on_a_loopback_address_it_serves_without_tokens(world: Environment, tmp_path: Path) -> None:
    conf = world.configure({"api": {"port": 0, "metrics_address": None}}, tmp_path)
    with served(conf, key_pair(), "--insecure-local") as api:
        assert api.client.post(GROUP, json={"request": {"groupId": "g1"}}).status_code == 200


@pytest.mark.parametrize("is_early", [True, False], ids=["while it starts", "once it answers"])
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_it_with_the_code_of_an_interrupt(
    world: Environment, tmp_path: Path, keys: KeyPair, workers: int, is_early: bool
) -> None:
    conf = world.configure({"api": {**api_settings(tmp_path, keys), "workers": workers}}, tmp_path)
    with subprocess.Popen(
        serve_command(conf), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving on")
        if not is_early:
            wait_until(lambda: answers(line.removeprefix("serving on ").strip()))
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    *others, last = stderr.splitlines()
    assert last == "activity-aggregates: interrupted"
    assert all(re.match(r"\S+Z activity-aggregates: ", line) for line in others), stderr


def test_it_starts_without_the_store_and_says_so(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    nowhere = {"contact_points": ["127.0.0.1"], "port": OTHER_PORT, "connect_timeout": 1}
    conf = world.configure({"api": api_settings(tmp_path, keys)}, tmp_path)
    with served(conf, keys, *(f"--set=cassandra.{key}={value}" for key, value in nowhere.items())) as api:
        assert api.client.get("/health/live").status_code == 200
        assert api.client.get("/health/ready").status_code == 503
        assert api.ask(GROUP, groupId="g1").status_code == 503
        assert f"Cassandra at 127.0.0.1 port {OTHER_PORT} cannot be reached" in api.errors.read_text()


def test_before_the_store_is_reached_all_else_is_checked(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    conf = world.configure({"api": api_settings(tmp_path, keys)}, tmp_path)
    with served(conf, keys, f"--set=cassandra.port={OTHER_PORT}", "--set=cassandra.connect_timeout=1") as api:
        assert api.ask(GROUP, groupId="g1", fields=["nonsense"]).status_code == 400
        query = {"activityId": "c1", "activityType": "Course", "contextId": "cb:b1"}
        assert api.ask("/data/activity/agg", **query).status_code == 403


def test_hosts_that_are_silent_delay_neither_the_start_nor_the_end(
    world: Environment, tmp_path: Path, keys: KeyPair
) -> None:
    """They accept and never answer; the ten seconds for each of them would be a minute, and the end would be killed."""
    with ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        for last in range(2, 7):
            stack.enter_context(socket.create_server((f"127.0.0.{last}", port)))
        silent = ",".join(f"127.0.0.{last}" for last in range(1, 7))
        conf = world.configure({"api": api_settings(tmp_path, keys)}, tmp_path)
        addresses = {"CASSANDRA_CONTACT_POINTS": silent, "CASSANDRA_PORT": str(port)}
        with served(conf, keys, environ=addresses) as api:
            assert api.client.get("/health/ready").status_code == 503
            api.process.send_signal(signal.SIGTERM)
            assert api.process.wait(SUPERVISORS_SECONDS) == 0


def test_workers_end_when_their_parent_is_killed_and_leave_the_port(
    world: Environment, tmp_path: Path, keys: KeyPair
) -> None:
    """A restart would find it taken for as long as they live."""
    conf = world.configure({"api": {**api_settings(tmp_path, keys), "workers": 2}}, tmp_path)
    with subprocess.Popen(serve_command(conf), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("serving on ").strip()
        wait_until(lambda: answers(url))
        process.kill()
        place = urlsplit(url)
        wait_until(lambda: is_free(place.hostname, place.port))


def is_free(host: str | None, port: int | None) -> bool:
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
        except OSError:
            return False
    return True


def test_a_reload_does_not_end_a_server_of_one_worker(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    with served(world.configure({"api": api_settings(tmp_path, keys)}, tmp_path), keys) as api:
        wait_until(lambda: api.ask(GROUP, groupId="g1").status_code == 200)
        api.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP: the only worker goes on" in api.errors.read_text())
        assert api.ask(GROUP, groupId="g1").status_code == 200


def test_a_table_that_goes_away_is_a_store_that_does_not_answer(
    world: Environment, tmp_path: Path, keys: KeyPair
) -> None:
    """Until it is back, say from a backup; who watches is told."""
    session, table = world.session, f"{world.sources}.lost_group"
    columns = "(id text PRIMARY KEY, status text, activities list<frozen<map<text, text>>>)"
    session.execute(f"CREATE TABLE IF NOT EXISTS {table} {columns}")
    settings = {
        "sources": {"groups": {"format": "cassandra", "keyspace": world.sources, "table": "lost_group"}},
        "api": {**api_settings(tmp_path, keys), "metrics_address": "127.0.0.1:0"},
    }
    with served(world.configure(settings, tmp_path), keys) as api:
        assert api.process.stdout
        metrics = message(api.process.stdout.readline()).removeprefix("metrics on ")

        def is_up() -> bool:
            return "activity_aggregates_api_store_up 1.0" in httpx.get(metrics).text

        wait_until(is_up)
        session.execute(f"DROP TABLE {table}")
        wait_until(lambda: not is_up())
        assert api.client.get("/health/ready").status_code == 503
        assert api.ask_as_service(GROUP, groupId="g1").status_code == 503
        session.execute(f"CREATE TABLE {table} {columns}")
        wait_until(is_up)
        assert api.client.get("/health/ready").status_code == 200
        assert api.ask_as_service(GROUP, groupId="g1").status_code == 404
        assert "Traceback" not in api.errors.read_text()


def test_keys_are_read_again_when_the_file_changes(world: Environment, tmp_path: Path, keys: KeyPair) -> None:
    """An unreadable file changes nothing; the next readable one does."""
    settings = api_settings(tmp_path, keys)
    file, newer = Path(settings["key_file"]), key_pair("RS256")
    with served(world.configure({"api": settings}, tmp_path), keys) as api:
        assert api.ask(GROUP, groupId="g1").status_code == 200
        file.write_bytes(b"half of a file")
        while "the keys read before stay in force" not in api.errors.read_text():
            assert api.ask(GROUP, groupId="g1").status_code == 200
        file.write_bytes(newer.public)
        body = {"request": {"groupId": "g1"}}
        wait_until(lambda: api.post(GROUP, body, newer.token()).status_code == 200)
        assert api.ask(GROUP, groupId="g1").status_code == 401


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_workers_that_find_a_broken_key_file_wait_for_a_better_one(
    world: Environment, tmp_path: Path, keys: KeyPair
) -> None:
    settings = {**api_settings(tmp_path, keys), "workers": 2}
    file, sentence = Path(settings["key_file"]), "this process answers 503 until then"
    with served(world.configure({"api": settings}, tmp_path), keys) as api:
        api.client.headers["connection"] = "close"  # so that no question goes to a worker that is just ending
        wait_until(lambda: api.ask(GROUP, groupId="g1").status_code == 200)
        file.write_bytes(b"half of a file")
        api.process.send_signal(signal.SIGHUP)  # starts every worker anew, and ends the one before it
        wait_until(lambda: api.errors.read_text().count(sentence) >= 2)
        wait_until(lambda: api.client.get("/health/ready").status_code == 503)
        wait_until(lambda: api.ask(GROUP, groupId="g1").status_code == 503)
        assert api.client.get("/health/live").status_code == 200
        file.write_bytes(keys.public)
        wait_until(lambda: api.ask(GROUP, groupId="g1").status_code == 200)
        assert "Traceback" not in api.errors.read_text()


def test_the_demo_is_announced_by_the_server_that_has_the_port(tmp_path: Path) -> None:
    """Where another one has it there is no address, no token, and the server's own exit code."""
    variables = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    for folder in ("conf", "scripts", "jobs"):
        (tmp_path / folder).symlink_to(Path.cwd() / folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = [sys.executable, "-m", "scripts.sample.token", "--set", f"api.port={port}"]
        done = subprocess.run(demo, cwd=tmp_path, env=variables, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1 port {port} cannot be listened on" in done.stderr
    with subprocess.Popen(
        [*demo[:-1], "api.port=0", "--set", "api.metrics_address=null"],
        cwd=tmp_path,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("serving on ").strip()
        said = "".join(process.stdout.readline() for _ in range(6))
        process.send_signal(signal.SIGTERM)
    assert f"curl -s {url}/data/group/activity/agg" in said
    assert process.returncode == 0


def test_fewer_connections_are_held_than_the_process_may_open_files(
    world: Environment, tmp_path: Path, keys: KeyPair
) -> None:
    """At the limit of files they could not even be refused."""
    conf = world.configure({"api": {**api_settings(tmp_path, keys), "max_connections": 5000}}, tmp_path)
    limited = ["bash", "-c", 'ulimit -n 300; exec "$@"', "-", *serve_command(conf)]
    with subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("serving on ").strip()
        wait_until(lambda: answers(url))
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert "api.max_connections is 5000 and this process may open 300 files: it holds 100 connections" in stderr
    assert process.returncode == 0
