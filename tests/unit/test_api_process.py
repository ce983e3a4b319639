"""What the read API imports, and what it reads."""

from __future__ import annotations

import re
import subprocess
import sys

from activity_aggregates import settings
from activity_aggregates.api.deployment import profile_of
from activity_aggregates.api.stored.statements import GROUP_COLUMNS, MEMBER_COLUMNS, Read, statements
from activity_aggregates.configuration import load
from activity_aggregates.sources.tables import GROUP_MEMBERS, GROUPS


def test_neither_spark_nor_the_jobs_are_imported() -> None:
    program = "import sys, activity_aggregates.api.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    unwanted = ("pyspark", "py4j", "jobs", "pandas", "pyarrow", "jinja2")
    assert [module for module in done.stdout.split() if module.startswith(unwanted)] == []


def test_columns_are_named_as_the_job_names_them() -> None:
    assert (GROUPS.columns, GROUP_MEMBERS.columns) == (GROUP_COLUMNS, MEMBER_COLUMNS)


def reads(**flags: object) -> dict[Read, str]:
    place = {"format": "cassandra", "keyspace": "ks"}
    sources = {
        "sources.groups": {**place, "table": "group"},
        "sources.group_members": {**place, "table": "group_member"},
        "sources.users": {**place, "table": "user"},
    }
    loaded: settings.Settings = load(None, {}, sources | flags).settings
    columns, _ = profile_of(loaded)
    return statements(loaded.sources, loaded.target, columns)


def test_names_of_columns_and_tables_follow_the_settings() -> None:
    found = reads(
        **{
            "sources.groups.columns": {"group_id": "Id", "status": "state"},
            "sources.users.columns": {"firstName": "firstname"},
            "target.columns.agg": "metrics",
            "target.tables.group_activity_agg": "numbers",
            "api.profile": {"name": ["firstName", "rank"], "grade": "rank"},
        }
    )
    assert found[Read.GROUP] == 'SELECT state, activities FROM ks.group WHERE "Id" = ?'
    assert found[Read.PROFILE] == "SELECT firstname, rank FROM ks.user WHERE id = ?"
    assert found[Read.GROUP_AGGREGATES] == (
        "SELECT activity_type, activity_id, metrics, agg_last_updated FROM activity_aggregates.numbers "
        "WHERE group_id = ?"
    )


def test_it_knows_no_statement_that_writes() -> None:
    found = reads(**{"api.profile": {"name": "firstname"}})
    assert {*found} == {*Read}
    assert [statement for statement in found.values() if not re.fullmatch(r"SELECT [^;]+", statement)] == []


def test_users_are_not_read_unless_their_attributes_are_shown() -> None:
    assert Read.PROFILE not in reads(**{"api.profile": {"name": None}})
    assert Read.PROFILE not in reads(**{"sources.users": None})
