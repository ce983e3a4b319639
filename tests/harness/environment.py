"""What every case runs in: keyspaces of its own, made once and emptied for each case, and its configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from cassandra.cluster import Session

from activity_aggregates.store.ledger import Ledger
from jobs.__main__ import main
from scripts.sample.schema import KEYSPACES, create_source_tables
from tests.harness.roles import API, JOB, in_test, migrating
from tests.harness.store import Snapshot, Store

MIGRATIONS = "aggregate_migrations"
LEDGER = "aggregate_runs"
SOURCES = {
    "enrolments": "user_enrolments",
    "progress": "user_content_consumption",
    "hierarchies": "content_hierarchy",
    "attempts": "assessment_aggregator",
    "batches": "course_batch",
    "groups": "group",
    "group_members": "group_member",
    "group_attempts": "group_attempts",
    "timespent": "timespent",
}

# What the test configuration says besides places: no limit stops a run, groups are computed.
TEST_SETTINGS: dict[str, Any] = {
    "limits": {"refused_share": 1.0, "retracted_share": 1.0, "lowered_share": 1.0, "retracted_floor": 0},
    "metrics": {"families": ["completion"]},
    "incremental": {"lookback": 0},
    "lease": {"ttl": 10},
    "log": {"format": "plain"},
}


@dataclass(frozen=True)
class Environment:
    """The keyspaces of sources and targets, and their tables."""

    session: Session
    sources: str
    targets: str
    store: Store

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.session, self.targets, LEDGER)

    def empty(self) -> None:
        """Remove what an earlier case left."""
        self.store.empty(keep=[MIGRATIONS])

    def restore(self, snapshot: Snapshot) -> None:
        """Have the tables hold what they held when the snapshot was taken."""
        self.empty()
        self.store.restore(snapshot)

    def configure(self, settings: Mapping[str, Any], folder: Path) -> Path:
        """The configuration file of a case; it does not say where Cassandra and the jars are, the environment does."""
        conf = folder / "conf.yaml"
        conf.write_text(yaml.safe_dump(merged(configuration(self.sources, self.targets, folder), settings)), "utf-8")
        return conf


@contextmanager
def environment(session: Session, folder: Path) -> Iterator[Environment]:
    """Creates the source tables as deployed and the targets by `migrate`; drops all of them at the end."""
    prefix = f"cases_{uuid4().hex[:12]}"
    sources, targets = f"{prefix}_sources", f"{prefix}_targets"
    conf = folder / "migrate.yaml"
    conf.write_text(yaml.safe_dump(configuration(sources, targets, folder)), "utf-8")
    try:
        create_source_tables(session, dict.fromkeys(KEYSPACES, sources))
        with migrating(session, in_test(sources, targets), JOB, API):
            if main(["migrate", "--conf", str(conf)]) != 0:
                raise RuntimeError("migrate has failed: its message is above")
        yield Environment(session, sources, targets, Store(session, [sources, targets]))
    finally:
        for keyspace in (sources, targets):
            session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")


def configuration(sources: str, targets: str, folder: Path) -> dict[str, Any]:
    """The test configuration."""
    return {
        **TEST_SETTINGS,
        "target": {"keyspace": targets, "replication": {"class": "SimpleStrategy", "replication_factor": 1}},
        "sources": {
            name: {"format": "cassandra", "keyspace": sources, "table": table} for name, table in SOURCES.items()
        },
        "staging": {"dir": str(folder / "runs")},
    }


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, everything else is replaced.

    >>> merged({"limits": {"refused_share": 1, "clock_skew": 5}}, {"limits": {"refused_share": 0.5}})
    {'limits': {'refused_share': 0.5, 'clock_skew': 5}}
    """
    result = dict(below)
    for key, value in above.items():
        own = result.get(key)
        result[key] = merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return result
