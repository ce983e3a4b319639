"""`migrate` on a real Cassandra: what it applies, what it refuses, and that it can be run again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from cassandra.cluster import Session

from activity_aggregates.configuration import Configuration, load
from activity_aggregates.errors import BadRequest, CheckFailed, Unreachable
from activity_aggregates.store.migrations import check_applied, migrations, pending, statements
from jobs.migrate import migrate
from tests.harness.roles import MIGRATE, signed_in_as

SIMPLE = {"class": "SimpleStrategy", "replication_factor": 1}
NAMES = [migration.name for migration in migrations()]


@pytest.fixture(scope="module")
def session(cassandra: Session) -> Iterator[Session]:
    with signed_in_as(MIGRATE):
        yield cassandra


@pytest.fixture
def keyspace(session: Session) -> Iterator[str]:
    """The name of a keyspace that does not exist yet."""
    name = f"migrate_{uuid4().hex[:12]}"
    yield name
    session.execute(f"DROP KEYSPACE IF EXISTS {name}")


def configured(keyspace: str, **flags: Any) -> Configuration:
    names = {"target.keyspace": keyspace, "target.replication": SIMPLE}
    return load(None, os.environ, names | {key.replace("__", "."): value for key, value in flags.items()})


def tables(session: Session, keyspace: str) -> set[str]:
    rows = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace])
    return {row.table_name for row in rows}


def test_the_first_migrate_creates_every_table_and_the_next_one_changes_nothing(
    session: Session, keyspace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = configured(keyspace)
    assert migrate(configuration, os.environ, check=False) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name}: applied now" for name in NAMES]
    assert tables(session, keyspace) == set(configuration.settings.target.tables.values())

    before = list(session.execute(f"SELECT * FROM {keyspace}.aggregate_migrations"))
    assert migrate(configuration, os.environ, check=False) == 0
    assert all(": applied at 2" in line for line in capsys.readouterr().out.splitlines())
    assert list(session.execute(f"SELECT * FROM {keyspace}.aggregate_migrations")) == before


def test_names_come_from_the_settings(session: Session, keyspace: str) -> None:
    configuration = configured(keyspace, target__tables__activity_agg="by_activity", target__columns__agg="metrics")
    migrate(configuration, os.environ, check=False)
    assert "by_activity" in tables(session, keyspace)
    assert session.execute(f"SELECT metrics FROM {keyspace}.by_activity").one() is None


def test_a_table_that_is_named_anew_or_was_dropped_is_pending_again(session: Session, keyspace: str) -> None:
    migrate(configured(keyspace), os.environ, check=False)
    renamed = configured(keyspace, target__tables__activity_agg="by_activity")
    assert pending(session, renamed.settings) == ["001_aggregates"]
    assert migrate(renamed, os.environ, check=False) == 0
    assert pending(session, renamed.settings) == []
    assert "by_activity" in tables(session, keyspace)


@pytest.mark.parametrize("check", [True, False])
def test_a_column_that_was_dropped_or_is_named_anew_is_told(session: Session, keyspace: str, check: bool) -> None:
    """No migrate adds it."""
    migrate(configured(keyspace), os.environ, check=False)
    session.execute(f"ALTER TABLE {keyspace}.activity_agg DROP agg")
    with pytest.raises(CheckFailed, match=r"columns that they were created with \(activity_agg\.agg\): restore them"):
        migrate(configured(keyspace), os.environ, check)
    with pytest.raises(CheckFailed, match=r"activity_user_agg\.numbers, .*correct target\.columns"):
        check_applied(session, configured(keyspace, target__columns__agg="numbers").settings)


def test_check_fails_while_something_is_pending_and_changes_nothing(
    session: Session, keyspace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckFailed, match=f"{keyspace} is behind by {', '.join(NAMES)}: run `activity-aggregates mi"):
        migrate(configured(keyspace), os.environ, check=True)
    assert capsys.readouterr().out.splitlines() == [f"{name}: pending" for name in NAMES]
    assert tables(session, keyspace) == set()

    migrate(configured(keyspace), os.environ, check=False)
    assert migrate(configured(keyspace), os.environ, check=True) == 0


def test_a_migrate_that_died_is_finished_by_the_next_one(session: Session, keyspace: str) -> None:
    configuration = configured(keyspace)
    migrate(configuration, os.environ, check=False)
    session.execute(f"DELETE FROM {keyspace}.aggregate_migrations WHERE number = 2")
    session.execute(f"DROP TABLE {keyspace}.aggregate_quarantine")
    assert pending(session, configuration.settings) == ["002_runs"]
    migrate(configuration, os.environ, check=False)
    assert pending(session, configuration.settings) == []
    assert "aggregate_quarantine" in tables(session, keyspace)


@pytest.mark.parametrize("check", [True, False])
def test_a_file_that_was_edited_after_it_was_applied_is_named(session: Session, keyspace: str, check: bool) -> None:
    configuration = configured(keyspace)
    migrate(configuration, os.environ, check=False)
    session.execute(f"UPDATE {keyspace}.aggregate_migrations SET checksum = 'of another text' WHERE number = 1")
    with pytest.raises(CheckFailed, match=r"conf/schema/001_aggregates\.cql was edited after it was applied"):
        migrate(configuration, os.environ, check)
    with pytest.raises(CheckFailed, match=r"001_aggregates\.cql was edited"):
        pending(session, configuration.settings)


def test_migrates_at_the_same_time_leave_one_record_of_each(session: Session, keyspace: str) -> None:
    configuration = configured(keyspace)
    with ThreadPoolExecutor(3) as pool:
        codes = list(pool.map(lambda _: migrate(configuration, os.environ, check=False), range(3)))
    assert codes == [0, 0, 0]
    assert pending(session, configuration.settings) == []
    assert tables(session, keyspace) == set(configuration.settings.target.tables.values())


def test_a_missing_keyspace_is_not_created_without_a_replication(keyspace: str) -> None:
    with pytest.raises(BadRequest, match=f"the keyspace {keyspace} does not exist: create it, or let migrate do so"):
        migrate(configured(keyspace, target__replication=None), os.environ, check=False)


def test_a_keyspace_that_exists_needs_no_replication(session: Session, keyspace: str) -> None:
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = %s", [SIMPLE])
    assert migrate(configured(keyspace, target__replication=None), os.environ, check=False) == 0


def test_a_replication_that_the_cluster_refuses_is_named(keyspace: str) -> None:
    with pytest.raises(BadRequest, match=r"target\.replication .*dc9.* is refused: Unrecognized strategy option"):
        migrate(
            configured(keyspace, target__replication={"class": "NetworkTopologyStrategy", "dc9": 1}),
            os.environ,
            check=False,
        )


def test_tablets_of_a_store_that_has_none_are_refused(keyspace: str) -> None:
    with pytest.raises(BadRequest, match=r"target\.tablets is false and this store knows no tablets: leave it null"):
        migrate(configured(keyspace, target__tablets=False), os.environ, check=False)


def test_a_port_where_nobody_listens_is_named(keyspace: str) -> None:
    with pytest.raises(Unreachable, match=r"Cassandra at 127\.0\.0\.1 port 1 cannot be reached"):
        migrate(
            configured(keyspace, cassandra__port=1, cassandra__contact_points=["127.0.0.1"]), os.environ, check=False
        )


def test_an_unknown_datacenter_is_told_the_known_one(session: Session, keyspace: str) -> None:
    known = session.execute("SELECT data_center FROM system.local").one().data_center
    with pytest.raises(Unreachable, match=f"has no datacenter mars: set cassandra.local_datacenter to {known}"):
        migrate(configured(keyspace, cassandra__local_datacenter="mars"), os.environ, check=False)


def test_every_statement_can_be_repeated() -> None:
    for migration in migrations():
        for statement in statements(migration.text):
            is_column_added = re.match(r"ALTER TABLE \$\{keyspace\}\.\$\{\w+\} ADD \w+ [\w<>]+$", statement)
            assert " IF NOT EXISTS " in statement or is_column_added, migration.file


def test_columns_of_a_table_that_is_named_anew_are_added_again(session: Session, keyspace: str) -> None:
    migrate(configured(keyspace), os.environ, check=False)
    renamed = configured(keyspace, target__tables__aggregate_runs="runs_of_old")
    assert pending(session, renamed.settings) == ["002_runs", "004_order"]
    migrate(renamed, os.environ, check=False)
    assert pending(session, renamed.settings) == []
    assert session.execute(f"SELECT definitions, settles FROM {keyspace}.runs_of_old").one() is None


def test_a_migrate_that_died_between_two_columns_adds_the_rest(session: Session, keyspace: str) -> None:
    configuration = configured(keyspace)
    migrate(configuration, os.environ, check=False)
    session.execute(f"ALTER TABLE {keyspace}.aggregate_runs DROP settles")
    session.execute(f"DELETE FROM {keyspace}.aggregate_migrations WHERE number = 4")
    migrate(configuration, os.environ, check=False)
    assert session.execute(f"SELECT definitions, settles FROM {keyspace}.aggregate_runs").one() is None
