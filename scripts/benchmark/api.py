"""Drives both routes of a really started server with wrk, and the same reads by the bare driver in the same run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activity_aggregates import configuration
from activity_aggregates.api.deployment import deployment
from activity_aggregates.errors import BadRequest
from activity_aggregates.store.connection import connection, open_session
from scripts.benchmark import bare_driver, groups
from scripts.benchmark.measure import migrate
from scripts.benchmark.processes import cpu_seconds

CONNECTIONS = (1, 50, 200)
PATHS = {"group": "/data/group/agg", "activity": "/data/group/activity/agg"}
ISSUER, AUDIENCE = "https://bench.example.org", "bench"
TOKENS = 1000  # members that ask, two of each group
THREADS = 2  # of wrk
TIMEOUT_SECONDS = 30
WARM_UP_SECONDS = 3
READY_ANSWERS = 20
LINE = "{:8} {:>11}   {:11} {:>10} {:>6} {:>8} {:>8} {:>14}"

# Every thread of wrk takes another way through the members.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local requests, turn = {}, 0
for line in io.lines("%(requests)s") do
    local token, body = line:match("^(%%S+) (.+)$")
    requests[#requests + 1] = {token, body}
end
function setup(thread) turn = turn + 379 thread:set("turn", turn) end
function request()
    turn = turn %% #requests + 1
    wrk.headers["Authorization"] = "Bearer " .. requests[turn][1]
    return wrk.format(nil, nil, nil, requests[turn][2])
end
"""


@dataclass(frozen=True)
class Speed:
    """Requests per second, milliseconds that they took, and of processor time in the processes that answer them."""

    per_second: float
    cpu: float
    p50: float
    p99: float


def measure(flags: Mapping[str, object], keyspace: str, workers: int, seconds: int, again: bool) -> int:
    if not shutil.which("wrk"):
        raise BadRequest("wrk is not installed, which makes the requests: apt-get install wrk, or brew install wrk")
    with tempfile.TemporaryDirectory() as folder:
        private, public = key_pair(Path(folder))
        served = {**flags, **api_flags(keyspace, public, workers)}
        settings = configuration.load(None, os.environ, served).settings
        if not again:
            if code := migrate(flags):
                return code
            with open_session(connection(settings.cassandra, os.environ)) as session:
                groups.load(session, settings, keyspace)
        print()
        print(LINE.format("route", "connections", "", "requests/s", "ratio", "p50 ms", "p99 ms", "CPU ms/request"))
        for route, path in PATHS.items():
            script = script_of(Path(folder), route, private)
            for connections in CONNECTIONS:
                with server(served) as (url, pid):
                    over_http = wrk(url + path, pid, script, connections, seconds)
                bare = bare_driver.measured(deployment(settings, {}, False), route, connections, workers, seconds)
                show(route, connections, over_http, speed(bare, seconds))
    return 0


def key_pair(folder: Path) -> tuple[RSAPrivateKey, Path]:
    """The key itself, which would be checked each time that it is read from PEM, and the file of the public one."""
    key = generate_private_key(65537, 2048)
    public = folder / "public.pem"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key, public


def api_flags(keyspace: str, public: Path, workers: int) -> dict[str, object]:
    return {
        "sources.groups": {"format": "cassandra", "keyspace": keyspace, "table": "group"},
        "sources.group_members": {"format": "cassandra", "keyspace": keyspace, "table": "group_member"},
        "api.key_file": str(public),
        "api.issuer": ISSUER,
        "api.audience": AUDIENCE,
        "api.port": 0,
        "api.workers": workers,
    }


def script_of(folder: Path, route: str, private: RSAPrivateKey, seconds: int = 0) -> Path:
    """What wrk plays: the requests of a route, whose tokens are good for an hour and so many seconds."""
    script, requests = folder / f"{route}.lua", folder / f"{route}.txt"
    requests.write_text("\n".join(request_lines(route, private, seconds)) + "\n")
    script.write_text(SCRIPT % {"requests": requests})
    return script


def request_lines(route: str, private: RSAPrivateKey, seconds: int) -> Iterator[str]:
    """A token, good for an hour and so many seconds, and a body for each of the members that ask."""
    for turn in range(TOKENS):
        group = turn * 7 % groups.GROUPS
        user = groups.user_id(group, turn % groups.MEMBERS)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "exp": int(time.time()) + 3600 + seconds}
        query: dict[str, Any] = {"groupId": groups.group_id(group)}
        if route == "activity":
            query |= {"activityId": groups.activity_id(turn % groups.ACTIVITIES), "activityType": "Course"}
        yield f"{jwt.encode(claims, private, algorithm='RS256')} {json.dumps({'request': query})}"


@contextmanager
def server(flags: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """A server of its own, by its URL and process id; stopped at the end."""
    settings = [f"--set={key}={json.dumps(value)}" for key, value in flags.items()]
    serve = [sys.executable, "-m", "jobs", "serve", *settings]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().removeprefix("serving on ").strip()
            wait_for_workers(url, READY_ANSWERS)
            yield url, process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for_workers(url: str, answers: int) -> None:
    """So many answers in a row over connections of their own: each worker has most likely given one of them."""
    ready = 0
    while ready < answers:
        try:
            ready = ready + 1 if httpx.get(f"{url}/health/ready", timeout=TIMEOUT_SECONDS).is_success else 0
        except httpx.TransportError as error:
            raise BadRequest(f"{url} does not answer ({error}): start activity-aggregates serve to see why") from error


def wrk(url: str, pid: int, script: Path, connections: int, seconds: int) -> Speed:
    """The measurement, after some seconds to warm up."""
    for duration in (WARM_UP_SECONDS, seconds):
        before = cpu_seconds(pid)
        command = wrk_command(url, script, min(THREADS, connections), connections, duration)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    if failed := errors_in(done.stdout):
        raise BadRequest(f"{url} at {connections} connections: {failed[0]}: look for the reason in the server's log")
    requests = per_second(done.stdout)
    cpu = (cpu_seconds(pid) - before) / (requests * seconds)
    return Speed(requests, cpu * 1000, percentile(done.stdout, 50), percentile(done.stdout, 99))


def wrk_command(url: str, script: Path, threads: int, connections: int, seconds: float) -> list[str]:
    options = [f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", f"--timeout={TIMEOUT_SECONDS}s"]
    return ["wrk", *options, "-s", str(script), url]


def errors_in(output: str) -> list[str]:
    """What wrk says of requests that failed."""
    return re.findall(r"(?:Non-2xx or 3xx responses|Socket errors): .+", output)


def per_second(output: str) -> float:
    """The requests per second that wrk tells."""
    found = re.search(r"Requests/sec: +([\d.]+)", output)
    assert found, output
    return float(found[1])


def percentile(output: str, share: int) -> float:
    """Of wrk's output, in milliseconds.

    >>> percentile("     99%    1.25s ", 99)
    1250.0
    """
    found = re.search(rf"\b{share}% +([\d.]+)(us|ms|s)\b", output)
    assert found, output
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def speed(bare: bare_driver.Measured, seconds: int) -> Speed:
    cuts = quantiles(bare.took, n=100)
    return Speed(len(bare.took) / seconds, bare.cpu_seconds / len(bare.took) * 1000, cuts[49] * 1000, cuts[98] * 1000)


def show(route: str, connections: int, over_http: Speed, bare: Speed) -> None:
    for name, each in (("API", over_http), ("bare driver", bare)):
        numbers = (f"{each.per_second:,.0f}", f"{each.per_second / bare.per_second:.2f}", f"{each.p50:.1f}")
        print(LINE.format(route, connections, name, *numbers, f"{each.p99:.1f}", f"{each.cpu:.2f}"), flush=True)
