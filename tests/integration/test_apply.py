"""Change sets applied to a real Cassandra from Spark's tasks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cassandra.cluster import Session
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.configuration import Configuration, load
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.store.connection import connection
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.writing.apply import Applied, ApplyPlan, CatalogPlan, MetadataPlan, WriteLimits, apply_changes
from jobs.migrate import migrate

KEY = ("activity_type", "activity_id", "context_id")
CHANGES = (
    "activity_type string, activity_id string, context_id string, to_set map<string,double>, to_remove array<string>"
)
CATALOG = "context_id string, activity_type string, activity_id string, course_id string"
METADATA = "activity_type string, activity_id string, to_set map<string,string>, to_remove array<string>"
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = WriteLimits(batch_rows=32, batch_bytes=32768, in_flight=16, rows_per_second=None, retry_seconds=10)
EARLIER, LATER = -1, 1
WIDE = {f"a{number}": 1.0 for number in range(60)}

Change = tuple[str, dict[str, float], list[str]]


@dataclass(frozen=True)
class Target:
    """The target tables of one keyspace, and what the tests do with them."""

    spark: SparkSession
    session: Session
    configuration: Configuration

    @property
    def keyspace(self) -> str:
        return self.configuration.settings.target.keyspace

    def apply(self, *rows: Change, **plan: Any) -> Applied:
        return apply_changes(self.changes(*rows), self.plan(**plan))

    def changes(self, *rows: Change) -> DataFrame:
        keyed = [("Course", activity_id, "cb:b1", to_set, to_remove) for activity_id, to_set, to_remove in rows]
        return self.spark.createDataFrame(keyed, CHANGES).coalesce(1)

    def plan(self, runs_later: int = 0, **changed: Any) -> ApplyPlan:
        as_of = AS_OF + timedelta(seconds=runs_later)
        plan = ApplyPlan(
            **self._place("activity_agg", round(as_of.timestamp() * 1_000_000)),
            key=KEY,
            agg="agg",
            agg_last_updated="agg_last_updated",
            as_of_ms=round(as_of.timestamp() * 1000),
        )
        return replace(plan, **changed)

    def catalog(self, *rows: tuple[str, str | None], write_time: int = 1) -> Applied:
        keyed = [("cb:b1", "CourseUnit", activity_id, course_id) for activity_id, course_id in rows]
        plan = CatalogPlan(**self._place("activity_catalog", write_time))
        return apply_changes(self.spark.createDataFrame(keyed, CATALOG).coalesce(1), plan)

    def metadata(self, *rows: tuple[str, dict[str, str], list[str]], write_time: int = 1) -> Applied:
        keyed = [("Course", activity_id, to_set, to_remove) for activity_id, to_set, to_remove in rows]
        place = self._place("activity_metadata", write_time)
        plan = MetadataPlan(**place, key=("activity_type", "activity_id"), column="metadata")
        return apply_changes(self.spark.createDataFrame(keyed, METADATA).coalesce(1), plan)

    def _place(self, table: str, write_time: int) -> dict[str, Any]:
        reached = connection(self.configuration.settings.cassandra, os.environ)
        return {
            "connection": reached, "keyspace": self.keyspace, "table": table,
            "write_time": write_time, "writes": LIMITS, "ticket": None,
        }  # fmt: skip

    def foreign(self, activity_id: str, agg: dict[str, float]) -> None:
        """Another writer puts entries into a row."""
        where = "WHERE activity_type = 'Course' AND activity_id = %s AND context_id = 'cb:b1'"
        self.session.execute(f"UPDATE {self.keyspace}.activity_agg SET agg = agg + %s {where}", [agg, activity_id])

    def stored(self, column: str = "agg") -> dict[str, dict[str, Any]]:
        rows = self.session.execute(f"SELECT activity_id, {column} AS held FROM {self.keyspace}.activity_agg")
        return {row.activity_id: dict(row.held or {}) for row in rows}

    def stored_catalog(self) -> dict[str, str]:
        return {
            row.activity_id: row.course_id
            for row in self.session.execute(f"SELECT * FROM {self.keyspace}.activity_catalog")
        }

    def stored_metadata(self) -> dict[str, dict[str, str]]:
        rows = self.session.execute(f"SELECT activity_id, metadata FROM {self.keyspace}.activity_metadata")
        return {row.activity_id: dict(row.metadata) for row in rows}

    def replicate(self, nodes: int) -> None:
        """More than there are: no write finds the replicas that it asks for."""
        replication = {"class": "SimpleStrategy", "replication_factor": str(nodes)}
        self.session.execute(f"ALTER KEYSPACE {self.keyspace} WITH replication = {replication}")


def numbered(count: int, to_set: dict[str, float], to_remove: Sequence[str] = ()) -> list[Change]:
    return [(f"c{number}", to_set, list(to_remove)) for number in range(count)]


@pytest.fixture(scope="module")
def migrated(spark: SparkSession, cassandra: Session) -> Iterator[Target]:
    keyspace = f"apply_{uuid4().hex[:12]}"
    replication = {"class": "SimpleStrategy", "replication_factor": 1}
    flags = {"target.keyspace": keyspace, "target.replication": replication}
    target = Target(spark, cassandra, load(None, os.environ, flags))
    migrate(target.configuration, os.environ, check=False)
    yield target
    cassandra.execute(f"DROP KEYSPACE {keyspace}")


@pytest.fixture
def target(migrated: Target) -> Target:
    for table in ("activity_agg", "activity_catalog", "activity_metadata", "aggregate_lease"):
        migrated.session.execute(f"TRUNCATE {migrated.keyspace}.{table}")
    return migrated


def test_entries_that_are_set_join_those_of_other_writers(target: Target) -> None:
    target.foreign("c1", {"timespent": 7.0})
    target.apply(("c1", {"completedCount": 2.0}, []))
    assert target.stored() == {"c1": {"timespent": 7.0, "completedCount": 2.0}}


def test_entries_that_are_removed_leave_those_of_other_writers(target: Target) -> None:
    target.apply(("c1", {"completedCount": 2.0}, []))
    target.foreign("c1", {"timespent": 7.0})
    target.apply(("c1", {}, ["completedCount"]), runs_later=LATER)
    assert target.stored() == {"c1": {"timespent": 7.0}}


def test_every_entry_has_the_date_of_the_run_that_wrote_it(target: Target) -> None:
    target.apply(("c1", {"a": 1.0, "b": 1.0, "c": 1.0}, []))
    target.apply(("c1", {"a": 2.0}, ["b"]), runs_later=LATER)
    later = AS_OF.replace(tzinfo=None) + timedelta(seconds=LATER)
    assert target.stored("agg_last_updated") == {"c1": {"a": later, "c": AS_OF.replace(tzinfo=None)}}


def test_a_row_may_set_and_remove(target: Target) -> None:
    target.apply(("c1", {"a": 1.0, "b": 1.0}, []))
    target.apply(("c1", {"c": 2.0}, ["a"]), runs_later=LATER)
    assert target.stored() == {"c1": {"b": 1.0, "c": 2.0}}


def test_a_row_is_gone_with_its_last_entry(target: Target) -> None:
    target.apply(("c1", {"a": 1.0}, []), ("c2", {"a": 1.0}, []))
    target.apply(("c1", {}, ["a"]), runs_later=LATER)
    assert target.stored() == {"c2": {"a": 1.0}}


def test_a_later_run_wins_and_an_earlier_one_loses_entry_by_entry(target: Target) -> None:
    target.apply(("c1", {"a": 1.0}, []))
    target.apply(("c1", {"a": 2.0}, []), runs_later=LATER)
    target.apply(("c1", {"a": 3.0, "b": 3.0}, []), runs_later=EARLIER)
    target.apply(("c1", {}, ["a"]), runs_later=EARLIER)
    assert target.stored() == {"c1": {"a": 2.0, "b": 3.0}}


def test_rows_larger_than_any_batch_go_alone(target: Target) -> None:
    many = {f"score:{number}": float(number) for number in range(5000)}
    applied = target.apply(("c1", many, []), ("c2", {"a": 1.0}, []), ("c3", {}, ["a"]))
    assert target.stored() == {"c1": many, "c2": {"a": 1.0}}
    target.apply(("c1", {}, list(many)), runs_later=LATER)
    assert (applied.rows, target.stored()) == (3, {"c2": {"a": 1.0}})


def test_batches_of_wide_rows_stay_below_what_the_server_refuses(target: Target) -> None:
    target.apply(*numbered(200, WIDE), writes=replace(LIMITS, batch_rows=200))
    assert len(target.stored()) == 200


def test_a_batch_that_the_server_refuses_is_the_configurations_fault(target: Target) -> None:
    with pytest.raises(BadRequest, match=r"Batch too large.*: lower writes\.batch_bytes"):
        target.apply(*numbered(200, WIDE), writes=replace(LIMITS, batch_rows=200, batch_bytes=1_000_000))


def test_what_was_acknowledged_is_counted_over_all_tasks(target: Target) -> None:
    on_rows = target.spark.sparkContext.accumulator(0)
    spread = target.changes(*numbered(400, {"a": 1.0, "b": 2.0}, ["c"])).repartition(2)
    assert apply_changes(spread, target.plan(), on_rows) == Applied(400, 800, 400, batches=14, retries=0)
    assert on_rows.value == len(target.stored()) == 400


def test_an_empty_change_set_is_applied(target: Target) -> None:
    assert target.apply() == Applied()


def test_all_tasks_together_keep_the_rate(target: Target) -> None:
    spread = target.changes(*numbered(256, {"a": 1.0})).repartition(2)
    start = time.monotonic()
    apply_changes(spread, target.plan(writes=replace(LIMITS, rows_per_second=64)))
    assert time.monotonic() - start > 3  # three waits for 32 rows in each of two tasks


def test_without_the_lease_nothing_is_written(target: Target) -> None:
    ticket = LeaseTicket(target.keyspace, "aggregate_lease", "r1", ttl=60)
    with pytest.raises(Unreachable, match=r"after 0 rows: the lease of run r1 was lost.*--resume last"):
        target.apply(("c1", {"a": 1.0}, []), ticket=ticket)
    assert target.stored() == {}


def test_a_lease_that_expires_meanwhile_stops_the_writing(target: Target) -> None:
    ticket = LeaseTicket(target.keyspace, "aggregate_lease", "r1", ttl=60)
    lease = f"(name, holder, run_id) VALUES ('runs', '{ticket.holder}', 'r1') USING TTL 6"
    changes = target.changes(*numbered(1000, {"a": 1.0}))
    slowly = replace(LIMITS, rows_per_second=100)
    target.session.execute(f"INSERT INTO {target.keyspace}.aggregate_lease {lease}")
    with pytest.raises(Unreachable, match=r"the lease of run r1 was lost"):
        apply_changes(changes, target.plan(ticket=ticket, writes=slowly), tasks=1)
    assert 0 < len(target.stored()) < 1000


def test_a_store_that_is_not_there_is_given_up_with_the_reason(target: Target) -> None:
    nowhere = replace(target.plan().connection, port=1)
    with pytest.raises(Unreachable, match=r"after 0 rows: Cassandra at .* port 1 cannot be reached .*--resume last"):
        target.apply(("c1", {"a": 1.0}, []), connection=nowhere, writes=replace(LIMITS, retry_seconds=1))


def test_a_store_without_enough_replicas_is_given_up_with_the_reason(target: Target) -> None:
    target.replicate(2)
    try:
        with pytest.raises(Unreachable, match=r"after 0 rows: Cassandra was lost .*Unavailable"):
            target.apply(("c1", {"a": 1.0}, []), writes=replace(LIMITS, retry_seconds=1))
    finally:
        target.replicate(1)


def test_what_failed_is_sent_again_until_the_store_is_back(target: Target) -> None:
    target.replicate(2)
    repair = threading.Timer(5, target.replicate, [1])
    repair.start()
    applied = target.apply(*numbered(200, {"a": 1.0}), writes=replace(LIMITS, retry_seconds=60))
    repair.join()
    assert applied.rows == len(target.stored()) == 200
    assert applied.retries > 0


def test_the_catalog_is_written_and_taken_back_row_by_row(target: Target) -> None:
    assert target.catalog(("u1", "c1"), ("u2", "c1")) == Applied(2, 2, 0, batches=1, retries=0)
    target.catalog(("u1", None), ("u2", "c2"), write_time=2)
    assert target.stored_catalog() == {"u2": "c2"}


def test_an_earlier_run_changes_nothing_in_the_catalog(target: Target) -> None:
    target.catalog(("u1", "c1"), ("u2", None), write_time=2)
    target.catalog(("u1", None), ("u2", "c1"), write_time=1)
    assert target.stored_catalog() == {"u1": "c1"}


def test_metadata_joins_that_of_others_and_an_earlier_run_changes_nothing_in_it(target: Target) -> None:
    of_others = "SET metadata = metadata + {'colour': 'red'} WHERE activity_type = 'Course' AND activity_id = 'c1'"
    target.session.execute(f"UPDATE {target.keyspace}.activity_metadata {of_others}")
    both = {"name": "Algebra", "status": "Live"}
    assert target.metadata(("c1", both, []), ("c2", {"name": "Botany"}, [])) == Applied(2, 3, 0, batches=1, retries=0)
    assert target.metadata(("c1", {"name": "Algebra II"}, ["status"]), write_time=3).entries_removed == 1
    target.metadata(("c1", both, []), ("c2", {}, ["name"]), write_time=2)
    assert target.stored_metadata() == {"c1": {"colour": "red", "name": "Algebra II"}}
