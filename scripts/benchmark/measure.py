"""Times a run in a process of its own and prints what its record says of every phase."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import yaml

from activity_aggregates.configuration import Configuration
from activity_aggregates.settings import Target
from activity_aggregates.store.connection import Connection, connection, open_session
from activity_aggregates.store.ledger import Ledger, RunRecord
from scripts.benchmark.processes import table, watched

# The count that tells how many rows a phase handled, by the verb with which its name begins.
COUNTED_AS = {"read": "read", "compare": "changed", "write": "written"}


def measure(configuration: Configuration, flags: Mapping[str, object], again: bool, asked: Sequence[str]) -> int:
    """A run with these flags of its own, on empty tables unless `again`."""
    target = configuration.settings.target
    reached = connection(configuration.settings.cassandra, os.environ)
    if code := migrate(flags) if again else migrate_anew(reached, flags, target.keyspace):
        return code
    return _timed(reached, target, command("run", flags, *asked))


def measure_backfill(configuration: Configuration, flags: Mapping[str, object], contexts: Sequence[str]) -> int:
    """A backfill of these contexts, after earlier runs."""
    record = {
        "reason": "to see how long it takes",
        "owner": "bench@example.org",
        "scope": {"contexts": list(contexts)},
        "rows_per_second": 1_000_000,  # as many as it can
        "status": "approved",
    }
    reached = connection(configuration.settings.cassandra, os.environ)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"2026-01-01-bench-{uuid4().hex[:8]}.yaml"  # of another name: it is to be done again
        file.write_text(yaml.safe_dump(record))
        return _timed(reached, configuration.settings.target, command("backfill", flags, str(file)))


def _timed(reached: Connection, target: Target, words: Sequence[str]) -> int:
    started = time.monotonic()
    with subprocess.Popen(words) as process, watched(process.pid) as use:
        code = process.wait()
    seconds = time.monotonic() - started
    if code == 0 and (run := latest(reached, target)):
        show(run, seconds)
        print(f"\n{table(use)}")
    return code


def command(name: str, flags: Mapping[str, object], *arguments: str) -> list[str]:
    settings = [f"--set={key}={json.dumps(value)}" for key, value in flags.items()]
    return [sys.executable, "-m", "jobs", name, *arguments, *settings]


def migrate(flags: Mapping[str, object]) -> int:
    return subprocess.run(command("migrate", flags), check=False).returncode


def migrate_anew(reached: Connection, flags: Mapping[str, object], keyspace: str) -> int:
    """Empty tables in this keyspace, in place of whatever there was."""
    with open_session(reached) as session:
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
    return migrate({**flags, "target.keyspace": keyspace})


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
