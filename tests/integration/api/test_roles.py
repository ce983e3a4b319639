"""The roles of conf/schema/roles.cql: each may do its work, and the API no more than read what it answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassandra import Unauthorized
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, open_session
from jobs.__main__ import main
from scripts.embedded.paths import CHECKOUT, INSTANCES
from scripts.sample.schema import KEYSPACES, create_source_tables
from tests.harness.api import GROUP, api_settings, key_pair, served
from tests.harness.environment import configuration
from tests.harness.roles import API, JOB, MIGRATE, PASSWORD, create_roles, grant, in_test, leave
from tests.harness.store import Store
from tests.integration.api.conftest import member

NAME = f"test-roles-{os.getpid()}"
ADMIN = "cassandra"
SOURCE, TARGET = "source", "target"


@dataclass(frozen=True)
class Guarded:
    """A Cassandra that demands a login, its administrator's session, and a folder for configurations."""

    admin: Session
    port: int
    folder: Path

    def conf(self, user: str, **others: Any) -> Path:
        """The configuration of a role."""
        users = {"format": "cassandra", "keyspace": SOURCE, "table": "user"}
        settings = configuration(SOURCE, TARGET, self.folder)
        settings["cassandra"] = {"contact_points": ["127.0.0.1"], "port": self.port, "username": user}
        settings["target"] = {"keyspace": TARGET}
        settings["sources"]["users"] = users
        file = self.folder / f"{user}.yaml"
        file.write_text(yaml.safe_dump({**settings, **others}))
        return file

    def session(self, stack: ExitStack, user: str) -> Session:
        given = load(self.conf(user), {}, {}).settings.cassandra
        return stack.enter_context(open_session(connection(given, {"CASSANDRA_PASSWORD": PASSWORD})))


def embedded(*command: str) -> None:
    whole = [sys.executable, "-m", "scripts.embedded", *command, "--name", NAME]
    subprocess.run(whole, cwd=CHECKOUT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("roles")
    with pytest.MonkeyPatch.context() as patched, ExitStack() as stack:
        leave(patched)
        patched.setenv("CASSANDRA_PASSWORD", PASSWORD)
        stack.callback(shutil.rmtree, INSTANCES / NAME, ignore_errors=True)
        stack.callback(embedded, "stop")
        embedded("start", "--throwaway", "--heap", "400", "--auth")
        port = json.loads((INSTANCES / NAME / "state.json").read_text())["port"]
        conf = Guarded(None, port, folder).conf(ADMIN)
        given = load(conf, {}, {}).settings.cassandra
        admin = stack.enter_context(open_session(connection(given, {"CASSANDRA_PASSWORD": ADMIN})))
        create_source_tables(admin, dict.fromkeys(KEYSPACES, SOURCE))
        create = "CREATE KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        admin.execute(create.format(TARGET))
        found = Guarded(admin, port, folder)
        create_roles(admin)
        grant(admin, in_test(SOURCE, TARGET), MIGRATE)
        assert main(["migrate", "--conf", str(found.conf(MIGRATE))]) == 0
        grant(admin, in_test(SOURCE, TARGET), JOB, API)
        yield found


def test_the_api_answers_as_its_role(guarded: Guarded) -> None:
    keys = key_pair()
    store = Store(guarded.admin, [SOURCE, TARGET])
    store.load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    store.load("group_member", [member("g1", "u1")])
    store.load("user", [{"id": "u1", "firstname": "Asha"}])
    conf = guarded.conf(API, api=api_settings(guarded.folder, keys))
    with served(conf, keys) as api:
        assert api.ask(GROUP, groupId="g1").status_code == 200
        activity = api.activity(groupId="g1", activityId="c1", activityType="Course")
        assert [listed["name"] for listed in activity["members"]] == ["Asha"]
        asked = api.ask_as_service("/data/activity/user/agg", userId="u1", activityId="c1", activityType="Course")
        assert asked.status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO {TARGET}.activity_agg (activity_type, activity_id, context_id) VALUES ('Course', 'c1', 'cb:b1')",
        f"INSERT INTO {SOURCE}.user (id) VALUES ('u2')",
        f"SELECT * FROM {TARGET}.aggregate_quarantine",
        f"SELECT * FROM {TARGET}.aggregate_runs",
        f"SELECT * FROM {SOURCE}.user_enrolments",
        f"CREATE TABLE {TARGET}.another (id text PRIMARY KEY)",
        "CREATE ROLE another",
    ],
)
def test_the_api_may_nothing_else(guarded: Guarded, statement: str) -> None:
    with ExitStack() as stack, pytest.raises(Unauthorized):
        guarded.session(stack, API).execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE TABLE {TARGET}.another (id text PRIMARY KEY)",
        f"DROP TABLE {TARGET}.activity_agg",
        f"INSERT INTO {SOURCE}.user_enrolments (userid, courseid, batchid) VALUES ('u', 'c', 'b')",
        f"SELECT * FROM {SOURCE}.user",
    ],
)
def test_the_jobs_make_no_table_and_write_no_source(guarded: Guarded, statement: str) -> None:
    with ExitStack() as stack, pytest.raises(Unauthorized):
        guarded.session(stack, JOB).execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT * FROM {SOURCE}.user_enrolments",
        f"CREATE TABLE {SOURCE}.another (id text PRIMARY KEY)",
        f"GRANT SELECT ON KEYSPACE {SOURCE} TO {MIGRATE}",
        f"DROP KEYSPACE {TARGET}",
    ],
)
def test_migrate_keeps_to_its_keyspace(guarded: Guarded, statement: str) -> None:
    with ExitStack() as stack, pytest.raises(Unauthorized):
        guarded.session(stack, MIGRATE).execute(statement)


def test_a_run_does_its_work_as_its_role(spark: SparkSession, guarded: Guarded) -> None:
    assert spark.version  # the job runs on this session
    store = Store(guarded.admin, [SOURCE, TARGET])
    store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["l1"]}})
    store.load("user_enrolments", [{"userid": "u1", "courseid": "c1", "batchid": "b1", "active": True}])
    assert main(["run", "--conf", str(guarded.conf(JOB))]) == 0
    row = guarded.admin.execute(f"SELECT agg FROM {TARGET}.activity_user_agg").one()
    assert dict(row.agg)["completedCount"] == 0
