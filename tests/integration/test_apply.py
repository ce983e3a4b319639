"""Staged rows applied to a real Cassandra from Spark's tasks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
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
from activity_aggregates.store.targets import KEY_COLUMNS, TARGET_TABLES
from activity_aggregates.writing.apply import GROUP, Applied, apply_changes
from activity_aggregates.writing.encoding import Times
from activity_aggregates.writing.plans import Plan, WriteLimits
from jobs.migrate import migrate
from tests.harness.roles import JOB, TARGET, migrating

WIDE = {f"a{number}": 1.0 for number in range(60)}
METRICS = ("completed", "b", "c", *WIDE)
_MAPS = {"entries": "double", "texts": "string"}
STAGED = ", ".join(
    [
        "table string",
        *(f"{column} string" for column in KEY_COLUMNS),
        *(f"{prefix}{name} double" for name in METRICS for prefix in ("", "was_")),
        *(f"{prefix}{name} map<string,{kind}>" for name, kind in _MAPS.items() for prefix in ("", "was_")),
    ]
)

COLUMNS = [column.partition(" ")[0] for column in STAGED.split(", ")]
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = WriteLimits(batch_rows=32, batch_bytes=32768, in_flight=16, rows_per_second=None, retry_seconds=10)
EARLIER, LATER = -1, 1

# The id of an activity, its metrics as they will be and as they were; of a table of texts the texts.
Change = tuple[str, dict[str, Any], dict[str, Any]]


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
        return self.staged(*(of_activity(*row) for row in rows))

    def staged(self, *rows: dict[str, Any]) -> DataFrame:
        """Rows of any tables, as one part of a change set has them."""
        values = [tuple(row.get(column) for column in COLUMNS) for row in rows]
        return self.spark.createDataFrame(values, STAGED).coalesce(1)

    def plan(self, runs_later: int = 0, **changed: Any) -> Plan:
        as_of = AS_OF + timedelta(seconds=runs_later)
        chosen = self.configuration.settings
        plan = Plan(
            connection=connection(chosen.cassandra, os.environ),
            keyspace=self.keyspace,
            deployed=chosen.target.tables,
            metrics={table.name: METRICS for table in TARGET_TABLES},
            maps=("agg", "agg_last_updated"),
            times=Times(round(as_of.timestamp() * 1_000_000), round(as_of.timestamp() * 1000)),
            writes=LIMITS,
            ticket=None,
        )
        return replace(plan, **changed)

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


def of_activity(activity_id: str, will: dict[str, Any], was: dict[str, Any]) -> dict[str, Any]:
    stood = {f"was_{name}": value for name, value in was.items()}
    key = {"activity_type": "Course", "activity_id": activity_id, "context_id": "cb:b1"}
    return {"table": "activity_agg", **key, **will, **stood}


def of_learner(activity_id: str, will: dict[str, Any], was: dict[str, Any]) -> dict[str, Any]:
    return of_activity(activity_id, will, was) | {"table": "activity_user_agg", "user_id": "u1"}


def of_catalog(activity_id: str, will: str | None, was: str | None) -> dict[str, Any]:
    texts = {name: {"course_id": course} for name, course in (("texts", will), ("was_texts", was)) if course}
    return of_activity(activity_id, texts, {}) | {"table": "activity_catalog"}


def of_metadata(activity_id: str, will: dict[str, str], was: dict[str, str]) -> dict[str, Any]:
    row = of_activity(activity_id, {"texts": will}, {"texts": was})
    return row | {"table": "activity_metadata", "context_id": None}


def activities(count: int) -> dict[str, int]:
    return {"activity_agg": count}


def numbered(count: int, will: dict[str, float], was: dict[str, float] | None = None) -> list[Change]:
    return [(f"c{number}", will, was or {}) for number in range(count)]


@pytest.fixture(scope="module")
def migrated(spark: SparkSession, cassandra: Session) -> Iterator[Target]:
    keyspace = f"apply_{uuid4().hex[:12]}"
    replication = {"class": "SimpleStrategy", "replication_factor": 1}
    flags = {"target.keyspace": keyspace, "target.replication": replication}
    target = Target(spark, cassandra, load(None, os.environ, flags))
    with migrating(cassandra, {TARGET: keyspace}, JOB):
        migrate(load(None, os.environ, flags), os.environ, check=False)
    yield target
    cassandra.execute(f"DROP KEYSPACE {keyspace}")


@pytest.fixture
def target(migrated: Target) -> Target:
    for table in ("activity_agg", "activity_user_agg", "activity_catalog", "activity_metadata", "aggregate_lease"):
        migrated.session.execute(f"TRUNCATE {migrated.keyspace}.{table}")
    return migrated


def test_entries_that_are_set_join_those_of_other_writers(target: Target) -> None:
    target.foreign("c1", {"pageViews": 7.0})
    target.apply(("c1", {"completed": 2.0}, {}))
    assert target.stored() == {"c1": {"pageViews": 7.0, "completed": 2.0}}


def test_entries_that_are_removed_leave_those_of_other_writers(target: Target) -> None:
    target.apply(("c1", {"completed": 2.0}, {}))
    target.foreign("c1", {"pageViews": 7.0})
    target.apply(("c1", {}, {"completed": 2.0}), runs_later=LATER)
    assert target.stored() == {"c1": {"pageViews": 7.0}}


def test_every_entry_has_the_date_of_the_run_that_wrote_it(target: Target) -> None:
    target.apply(("c1", {"completed": 1.0, "b": 1.0, "c": 1.0}, {}))
    target.apply(("c1", {"completed": 2.0, "c": 1.0}, {"completed": 1.0, "b": 1.0, "c": 1.0}), runs_later=LATER)
    later = AS_OF.replace(tzinfo=None) + timedelta(seconds=LATER)
    assert target.stored("agg_last_updated") == {"c1": {"completed": later, "c": AS_OF.replace(tzinfo=None)}}


def test_a_row_may_set_and_remove(target: Target) -> None:
    target.apply(("c1", {"completed": 1.0, "b": 1.0}, {}))
    target.apply(("c1", {"c": 2.0, "b": 1.0}, {"completed": 1.0, "b": 1.0}), runs_later=LATER)
    assert target.stored() == {"c1": {"b": 1.0, "c": 2.0}}


def test_a_row_is_gone_with_its_last_entry(target: Target) -> None:
    target.apply(("c1", {"b": 1.0}, {}), ("c2", {"b": 1.0}, {}))
    target.apply(("c1", {}, {"b": 1.0}), runs_later=LATER)
    assert target.stored() == {"c2": {"b": 1.0}}


def test_a_later_run_wins_and_an_earlier_one_loses_entry_by_entry(target: Target) -> None:
    target.apply(("c1", {"b": 1.0}, {}))
    target.apply(("c1", {"b": 2.0}, {"b": 1.0}), runs_later=LATER)
    target.apply(("c1", {"b": 3.0, "c": 3.0}, {}), runs_later=EARLIER)
    target.apply(("c1", {}, {"b": 1.0}), runs_later=EARLIER)
    assert target.stored() == {"c1": {"b": 2.0, "c": 3.0}}


def test_without_a_write_time_the_last_write_wins_whatever_its_as_of(target: Target) -> None:
    target.apply(("c1", {"b": 1.0}, {}), times=Times(None, 2))
    target.apply(("c1", {"b": 2.0}, {"b": 1.0}), times=Times(None, 1))
    assert target.stored() == {"c1": {"b": 2.0}}


def test_rows_of_all_tables_are_written_in_one_go_and_counted_by_table(target: Target) -> None:
    rows = [
        of_activity("c1", {"b": 1.0}, {}), of_learner("c1", {"b": 2.0, "entries": {"score:Q": 3.0}}, {}),
        of_learner("c2", {"entries": {"score:Q": 3.0}}, {"entries": {"score:P": 3.0}}),
        of_catalog("c1", "c1", None), of_metadata("c1", {"name": "Algebra", "status": "Live"}, {}),
    ]  # fmt: skip
    applied = apply_changes(target.staged(*rows), target.plan())
    by_table = {"activity_agg": 1, "activity_user_agg": 2, "activity_catalog": 1, "activity_metadata": 1}
    assert (applied.rows, applied.entries_set, applied.entries_removed) == (by_table, 7, 1)
    of_learners = target.session.execute(f"SELECT activity_id, agg FROM {target.keyspace}.activity_user_agg")
    assert {row.activity_id: dict(row.agg) for row in of_learners} == {
        "c1": {"b": 2.0, "score:Q": 3.0}, "c2": {"score:Q": 3.0},
    }  # fmt: skip
    assert target.stored() == {"c1": {"b": 1.0}}


def test_rows_that_are_deleted_go_whole_with_the_entries_of_others(target: Target) -> None:
    target.foreign("c1", {"pageViews": 7.0})
    target.foreign("c2", {"pageViews": 7.0})
    rows = target.changes(("c1", {}, {}))
    deletes = {"activity_agg": ("activity_type", "activity_id", "context_id")}
    unordered = Times(None, round(AS_OF.timestamp() * 1000))  # the foreign entries have the time of the store
    assert apply_changes(rows, target.plan(deletes=deletes, times=unordered)).rows == {"activity_agg": 1}
    assert target.stored() == {"c2": {"pageViews": 7.0}}


def test_rows_larger_than_any_batch_go_alone(target: Target) -> None:
    many = {f"score:{number}": float(number) for number in range(5000)}
    rows = [of_learner("c1", {"entries": many}, {}), of_learner("c2", {"b": 1.0}, {}), of_learner("c3", {}, {"b": 1.0})]
    applied = apply_changes(target.staged(*rows), target.plan())
    assert (applied.rows, applied.entries_set, applied.entries_removed) == ({"activity_user_agg": 3}, 5001, 1)
    gone = target.staged(of_learner("c1", {}, {"entries": many}))
    assert apply_changes(gone, target.plan(runs_later=LATER)).entries_removed == 5000


def test_batches_of_wide_rows_stay_below_what_the_server_refuses(target: Target) -> None:
    target.apply(*numbered(200, WIDE), writes=replace(LIMITS, batch_rows=200))
    assert len(target.stored()) == 200


def test_a_batch_that_the_server_refuses_is_the_configurations_fault(target: Target) -> None:
    with pytest.raises(BadRequest, match=r"Batch too large.*: lower writes\.batch_bytes"):
        target.apply(*numbered(200, WIDE), writes=replace(LIMITS, batch_rows=200, batch_bytes=1_000_000))


def test_what_was_acknowledged_is_counted_over_all_tasks(target: Target) -> None:
    on_rows = target.spark.sparkContext.accumulator(0)
    spread = target.changes(*numbered(400, {"completed": 1.0, "b": 2.0}, {"c": 1.0})).repartition(2)
    assert apply_changes(spread, target.plan(), on_rows) == Applied(activities(400), 800, 400, batches=14, retries=0)
    assert on_rows.value == len(target.stored()) == 400


def test_an_empty_change_set_is_applied(target: Target) -> None:
    assert target.apply() == Applied({}, 0, 0, batches=0, retries=0)


def test_all_tasks_together_keep_the_rate(target: Target) -> None:
    spread = target.changes(*numbered(256, {"b": 1.0})).repartition(2)
    start = time.monotonic()
    apply_changes(spread, target.plan(writes=replace(LIMITS, rows_per_second=64)))
    assert time.monotonic() - start > 3  # three waits for 32 rows in each of two tasks


def test_without_the_lease_nothing_is_written(target: Target) -> None:
    ticket = LeaseTicket(target.keyspace, "aggregate_lease", "r1", ttl=60)
    with pytest.raises(Unreachable, match=r"after 0 rows: the lease of run r1 was lost.*--resume last"):
        target.apply(("c1", {"b": 1.0}, {}), ticket=ticket)
    assert target.stored() == {}


def test_a_lease_that_expires_meanwhile_stops_the_writing(target: Target) -> None:
    ticket = LeaseTicket(target.keyspace, "aggregate_lease", "r1", ttl=60)
    lease = f"(name, holder, run_id) VALUES ('runs', '{ticket.holder}', 'r1') USING TTL 6"
    changes = target.changes(*numbered(1000, {"b": 1.0}))
    slowly = replace(LIMITS, rows_per_second=100)
    target.session.execute(f"INSERT INTO {target.keyspace}.aggregate_lease {lease}")
    with pytest.raises(Unreachable, match=r"the lease of run r1 was lost"):
        apply_changes(changes, target.plan(ticket=ticket, writes=slowly), tasks=1)
    assert 0 < len(target.stored()) < 1000


def test_a_store_that_is_not_there_is_given_up_with_the_reason(target: Target) -> None:
    nowhere = replace(target.plan().connection, port=1)
    with pytest.raises(Unreachable, match=r"after 0 rows: Cassandra at .* port 1 cannot be reached .*--resume last"):
        target.apply(("c1", {"b": 1.0}, {}), connection=nowhere, writes=replace(LIMITS, retry_seconds=1))


def test_once_a_task_has_given_up_the_others_are_not_tried(target: Target) -> None:
    """Each would try for as long, and a large change set is written by hundreds of tasks."""
    nowhere = replace(target.plan().connection, port=1)
    plan = replace(target.plan(), connection=nowhere, writes=replace(LIMITS, retry_seconds=2))
    rows = target.changes(*numbered(40, {"b": 1.0})).repartition(20)
    with pytest.raises(Unreachable, match=r"after 0 rows: Cassandra at .* cannot be reached"):
        apply_changes(rows, plan)
    tracker = rows.sparkSession.sparkContext.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(GROUP)]
    stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
    assert 0 < sum(stage.numCompletedTasks for stage in stages if stage and stage.numTasks == 20) < 20


def test_a_store_without_enough_replicas_is_given_up_with_the_reason(target: Target) -> None:
    target.replicate(2)
    try:
        with pytest.raises(Unreachable, match=r"after 0 rows: Cassandra was lost .*Unavailable"):
            target.apply(("c1", {"b": 1.0}, {}), writes=replace(LIMITS, retry_seconds=1))
    finally:
        target.replicate(1)


def test_what_failed_is_sent_again_until_the_store_is_back(target: Target) -> None:
    target.replicate(2)
    repair = threading.Timer(5, target.replicate, [1])
    repair.start()
    applied = target.apply(*numbered(200, {"b": 1.0}), writes=replace(LIMITS, retry_seconds=60))
    repair.join()
    assert (applied.rows, len(target.stored())) == (activities(200), 200)
    assert applied.retries > 0


def test_the_catalog_is_written_and_taken_back_row_by_row(target: Target) -> None:
    rows = [of_catalog("u1", "c1", None), of_catalog("u2", "c1", None)]
    applied = apply_changes(target.staged(*rows), target.plan())
    assert applied == Applied({"activity_catalog": 2}, 2, 0, batches=1, retries=0)
    later = [of_catalog("u1", None, "c1"), of_catalog("u2", "c2", "c1")]
    apply_changes(target.staged(*later), target.plan(runs_later=LATER))
    assert target.stored_catalog() == {"u2": "c2"}


def test_an_earlier_run_changes_nothing_in_the_catalog(target: Target) -> None:
    apply_changes(target.staged(of_catalog("u1", "c1", None), of_catalog("u2", None, "c1")), target.plan())
    late = [of_catalog("u1", None, "c1"), of_catalog("u2", "c1", None)]
    apply_changes(target.staged(*late), target.plan(runs_later=EARLIER))
    assert target.stored_catalog() == {"u1": "c1"}


def test_metadata_joins_that_of_others_and_an_earlier_run_changes_nothing_in_it(target: Target) -> None:
    of_others = "SET metadata = metadata + {'colour': 'red'} WHERE activity_type = 'Course' AND activity_id = 'c1'"
    target.session.execute(f"UPDATE {target.keyspace}.activity_metadata {of_others}")
    both = {"name": "Algebra", "status": "Live"}

    def apply(*rows: dict[str, Any], runs_later: int = 0) -> Applied:
        return apply_changes(target.staged(*rows), target.plan(runs_later=runs_later))

    first = apply(of_metadata("c1", both, {}), of_metadata("c2", {"name": "Botany"}, {}))
    assert first == Applied({"activity_metadata": 2}, 3, 0, batches=1, retries=0)
    assert apply(of_metadata("c1", {"name": "Algebra II"}, both), runs_later=LATER).entries_removed == 1
    apply(of_metadata("c1", both, {}), of_metadata("c2", {}, {"name": "Botany"}), runs_later=EARLIER)
    assert target.stored_metadata() == {
        "c1": {"colour": "red", "name": "Algebra II"}, "c2": {"name": "Botany"},
    }  # fmt: skip
