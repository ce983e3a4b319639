"""Times a run in a process of its own and prints what its record says of every phase."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from activity_aggregates.configuration import Configuration
from activity_aggregates.settings import Target
from activity_aggregates.store.connection import Connection, connection, open_session
from activity_aggregates.store.ledger import Ledger, RunRecord

# The count that tells how many rows a phase handled, by the verb with which its name begins.
COUNTED_AS = {"read": "read", "compare": "changed", "write": "written"}


def measure(configuration: Configuration, flags: Mapping[str, object], again: bool, asked: Sequence[str]) -> int:
    """A run with these flags of its own, on empty tables unless `again`."""
    target = configuration.settings.target
    reached = connection(configuration.settings.cassandra, os.environ)
    if not again:
        with open_session(reached) as session:
            session.execute(f"DROP KEYSPACE IF EXISTS {target.keyspace}")
    command("migrate", flags)
    started = time.monotonic()
    code = command("run", flags, *asked)
    seconds = time.monotonic() - started
    if code == 0 and (run := latest(reached, target)):
        show(run, seconds)
    return code


def command(name: str, flags: Mapping[str, object], *arguments: str) -> int:
    settings = [f"--set={key}={json.dumps(value)}" for key, value in flags.items()]
    return subprocess.run([sys.executable, "-m", "jobs", name, *arguments, *settings], check=False).returncode


def latest(reached: Connection, target: Target) -> RunRecord | None:
    with open_session(reached) as session:
        return Ledger(session, target.keyspace, target.tables["aggregate_runs"]).latest()


def show(run: RunRecord, seconds: float) -> None:
    print(f"\n{'phase':32} {'seconds':>9} {'rows':>12} {'rows/s':>10}")
    for phase, took in run.phases.items():
        verb, _, what = phase.partition(" ")
        print(line(phase, took, run.counts.get(f"{COUNTED_AS.get(verb, verb)}.{what}")))
    print(line("whole process", seconds, run.counts.get("read.enrolments")))


def line(phase: str, seconds: float, rows: int | None) -> str:
    if rows is None:
        return f"{phase:32} {seconds:9.1f}"
    return f"{phase:32} {seconds:9.1f} {rows:12,} {rows / max(seconds, 0.001):10,.0f}"
