"""The read API under load for minutes beside a job that writes into the same keyspace: errors, latency, memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from activity_aggregates import configuration
from activity_aggregates.store.connection import connection, open_session
from scripts.benchmark.api import (
    PATHS,
    api_flags,
    errors_in,
    key_pair,
    per_second,
    percentile,
    script_of,
    server,
    wrk_command,
)
from scripts.benchmark.measure import command
from scripts.benchmark.processes import resident

CONNECTIONS = 100  # on each of the two routes
WATCH_SECONDS = 10
WRITTEN = ("activity_user_agg", "activity_agg", "activity_day_agg", "activity_catalog")


def measure_beside(
    flags: Mapping[str, object], keyspace: str, job: Mapping[str, object], workers: int, seconds: int
) -> int:
    """Requests on both routes for so many seconds, while full runs of `job` write; the data of both are loaded."""
    with tempfile.TemporaryDirectory() as folder:
        private, public = key_pair(Path(folder))
        with server({**flags, **api_flags(keyspace, public, workers)}) as (url, pid), writing(job) as runs:
            scripts = {route: script_of(Path(folder), route, private, seconds) for route in PATHS}
            loads = [start_wrk(url + path, scripts[route], seconds) for route, path in PATHS.items()]
            memory = [*watch_memory(pid, seconds)]
            outputs = [load.communicate()[0] for load in loads]
    failed = [show(route, output) for route, output in zip(PATHS, outputs, strict=True)]
    early, late = max(memory[: len(memory) // 3]), max(memory[-len(memory) // 3 :])
    print(f"resident memory: {early / 2**20:,.0f} MiB in the first third, {late / 2**20:,.0f} in the last")
    print(f"runs of the job that ended beside it: {len(runs)}, exit codes {runs}")
    return int(any(failed) or any(runs))


def start_wrk(url: str, script: Path, seconds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(wrk_command(url, script, 1, CONNECTIONS, seconds), stdout=subprocess.PIPE, text=True)


@contextmanager
def writing(job: Mapping[str, object]) -> Iterator[list[int]]:
    """Full runs into empty tables, one after the other, until the block ends; the exit codes of those that ended."""
    settings = configuration.load(None, os.environ, job).settings
    codes: list[int] = []
    over = threading.Event()

    def run_again_and_again() -> None:
        while not over.is_set():
            with open_session(connection(settings.cassandra, os.environ)) as session:
                for table in WRITTEN:
                    session.execute(f"TRUNCATE {settings.target.keyspace}.{table}", timeout=None)
            with subprocess.Popen(command("run", job), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
                while run.poll() is None and not over.wait(1):
                    pass
                if run.poll() is None:
                    run.terminate()
                    run.wait()
                else:
                    codes.append(run.returncode)

    writer = threading.Thread(target=run_again_and_again)
    writer.start()
    try:
        yield codes
    finally:
        over.set()
        writer.join()


def watch_memory(pid: int, seconds: int) -> Iterator[int]:
    """The bytes of memory that the server and its workers have, every so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(WATCH_SECONDS)
        yield resident(pid)


def show(route: str, output: str) -> bool:
    """Print what one load found; whether there was an error."""
    errors = errors_in(output)
    print(
        f"{route:8} {CONNECTIONS} connections: {per_second(output):.0f} requests/s, "
        f"p50 {percentile(output, 50):.0f} ms, p99 {percentile(output, 99):.0f} ms, {'; '.join(errors) or 'no error'}"
    )
    return bool(errors)
