"""The learners of a soak, the run over them, and whether the tables hold what an undisturbed run would have left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import ConstantReconnectionPolicy

from activity_aggregates.store.ledger import Ledger
from jobs.__main__ import main
from scripts.embedded.instance import State
from scripts.sample.schema import KEYSPACES, create_source_tables
from tests.harness.digests import digests
from tests.harness.environment import LEDGER, MIGRATIONS, configuration, merged
from tests.harness.store import Store

AS_OF = "2026-06-01T00:00:00Z"
TTL = 20  # seconds of a lease
RETRY_SECONDS = 30
_WRITE_SECONDS = 20  # that a run writes for, at the least: time enough to disturb it
_SOURCES, _TARGETS = "soak_sources", "soak_targets"
_COURSES, _LEAVES = 10, 3
_REPLICAS = 3


@dataclass(frozen=True)
class World:
    """Sources that stay as they are, and targets that every try finds empty."""

    session: Session
    folder: Path
    conf: Path
    store: Store

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.session, _TARGETS, LEDGER)

    def empty(self) -> None:
        """Take everything out of the targets but what migrate has recorded."""
        Store(self.session, [_TARGETS]).empty(keep=[MIGRATIONS])

    def digests(self) -> dict[str, str]:
        """Of every target table, its rows with maps and dates, in the order of their keys, read at LOCAL_QUORUM."""
        return digests(self.store)

    def is_writing(self) -> bool:
        """Whether rows have arrived."""
        return bool(self.session.execute(f"SELECT user_id FROM {_TARGETS}.activity_user_agg LIMIT 1").one())

    def change_schema(self, number: int) -> None:
        """What somebody else may do at any time: columns and tables that are none of the job's business."""
        self.session.execute(f"ALTER TABLE {_TARGETS}.activity_user_agg ADD other_{number} text")
        self.session.execute(f"ALTER TABLE {_SOURCES}.user_enrolments ADD other_{number} text")
        self.session.execute(f"CREATE TABLE {_TARGETS}.other_{number} (id text PRIMARY KEY)")


def connected(state: State) -> Session:
    """A session that reads and writes at LOCAL_QUORUM, waits for nodes that come back, and looks each second."""
    profile = ExecutionProfile(consistency_level=ConsistencyLevel.LOCAL_QUORUM, request_timeout=60)
    cluster = Cluster(
        state.contact_points, port=state.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
    )  # fmt: skip
    return cluster.connect()


def make(session: Session, state: State, folder: Path, learners: int) -> World:
    """Tables, settings and learners."""
    create_source_tables(session, dict.fromkeys(KEYSPACES, _SOURCES), _REPLICAS)
    conf = folder / "settings.yaml"
    settings = merged(configuration(_SOURCES, _TARGETS, folder), _settings(state, learners))
    conf.write_text(yaml.safe_dump(settings), "utf-8")
    if main(["migrate", "--conf", str(conf)]) != 0:
        raise RuntimeError("migrate has failed: its message is above")
    world = World(session, folder, conf, Store(session, [_SOURCES, _TARGETS]))
    _load(world, learners)
    return world


def _settings(state: State, learners: int) -> dict[str, Any]:
    return {
        "cassandra": {"contact_points": state.contact_points, "port": state.port, "request_timeout": 5},
        "target": {"replication": {"class": "SimpleStrategy", "replication_factor": _REPLICAS}},
        "lease": {"ttl": TTL},
        "limits": {"clock_skew": 2},
        "writes": {"retry_seconds": RETRY_SECONDS, "rows_per_second": max(100, 2 * learners // _WRITE_SECONDS)},
        "metrics": {"families": ["completion", "dates", "certificates", "scores", "time", "groups"]},
        "spark": {"conf": {"spark.ui.enabled": False, "spark.sql.shuffle.partitions": 2}},
    }


def _load(world: World, learners: int) -> None:
    for course in range(_COURSES):
        leaves = [f"l{leaf}" for leaf in range(_LEAVES)]
        tree = {"course": f"c{course}", "children": [leaves[0], {"unit": f"u{course}", "children": leaves[1:]}]}
        world.store.load("content_hierarchy", {f"c{course}": tree})
    world.store.load("group", [{"id": "g", "status": "active", "activities": [{"type": "Course", "id": "c0"}]}])
    world.store.load(
        "group_member", [{"groupid": "g", "userid": f"p{n}", "status": "active"} for n in range(0, 100, 10)]
    )
    _insert(world.session, "user_enrolments", ("userid", "courseid", "batchid", "status"), _enrolments(learners))
    _insert(
        world.session, "user_content_consumption", ("userid", "courseid", "batchid", "contentid", "status"),
        _progress(learners),
    )  # fmt: skip


def _enrolments(learners: int) -> Iterator[tuple[object, ...]]:
    for n in range(learners):
        yield f"p{n}", f"c{n % _COURSES}", f"b{n % _COURSES}", 1


def _progress(learners: int) -> Iterator[tuple[object, ...]]:
    for n in range(learners):
        for leaf in range(n // _COURSES % (_LEAVES + 1)):
            yield f"p{n}", f"c{n % _COURSES}", f"b{n % _COURSES}", f"l{leaf}", 2


def _insert(session: Session, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
    marks = ", ".join("?" for _ in columns)
    statement = session.prepare(f"INSERT INTO {_SOURCES}.{table} ({', '.join(columns)}) VALUES ({marks})")
    execute_concurrent_with_args(session, statement, rows, concurrency=64)
