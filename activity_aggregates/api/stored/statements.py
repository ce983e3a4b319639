"""The statements of the API: each reads one partition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from cassandra.metadata import protect_name

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.store.targets import GROUP_ACTIVITY_AGG, GROUP_ACTIVITY_USER_AGG

# Our names of columns where the platform's differ, as the job has them; this process does without Spark.
GROUP_COLUMNS = {"group_id": "id"}
MEMBER_COLUMNS = {"group_id": "groupid", "user_id": "userid"}
USER_COLUMNS = {"user_id": "id"}


class Read(Enum):
    """What is read, with its key."""

    GROUP = "a group, by id"
    MEMBER = "a member, by group and user"
    MEMBERS = "the members of a group, in the order of their ids"
    MEMBERS_AFTER = "the members of a group that follow a user"
    GROUP_AGGREGATES = "all activities of a group"
    ACTIVITY_AGGREGATES = "one activity, by group, type and id"
    MEMBER_AGGREGATES = "one activity's rows of the users from .. to .., by group, type and id"
    METADATA = "an activity's metadata, by type and id"
    PROFILE = "the attributes of a user, by id"


def statements(sources: settings.Sources, target: settings.Target, profile: list[str]) -> dict[Read, str]:
    """The CQL of every read; raises BadRequest where the sources are not of Cassandra."""
    group = _columns(sources.groups, GROUP_COLUMNS)
    member = _columns(sources.group_members, MEMBER_COLUMNS)
    groups = f"FROM {_table('groups', sources.groups)} WHERE {group('group_id')} = ?"
    members = f"FROM {_table('group_members', sources.group_members)} WHERE {member('group_id')} = ?"
    listed = f"SELECT {member('user_id')}, {member('status')}, {member('role')} {members}"
    maps = f"{target.columns.agg}, {target.columns.agg_last_updated}"
    activities = f"FROM {_target(target, GROUP_ACTIVITY_AGG.name)} WHERE group_id = ?"
    of_activity = "group_id = ? AND activity_type = ? AND activity_id = ?"
    reads = {
        Read.GROUP: f"SELECT {group('status')}, {group('activities')} {groups}",
        Read.MEMBER: f"SELECT {member('status')} {members} AND {member('user_id')} = ?",
        Read.MEMBERS: listed,
        Read.MEMBERS_AFTER: f"{listed} AND {member('user_id')} > ?",
        Read.GROUP_AGGREGATES: f"SELECT activity_type, activity_id, {maps} {activities}",
        Read.ACTIVITY_AGGREGATES: f"SELECT {maps} {activities} AND activity_type = ? AND activity_id = ?",
        Read.MEMBER_AGGREGATES: f"SELECT user_id, {maps} FROM {_target(target, GROUP_ACTIVITY_USER_AGG.name)} "
        f"WHERE {of_activity} AND user_id >= ? AND user_id <= ?",
        Read.METADATA: f"SELECT metadata FROM {_target(target, 'activity_metadata')} "
        "WHERE activity_type = ? AND activity_id = ?",
    }
    if profile:
        user = _columns(sources.users, USER_COLUMNS)
        attributes = ", ".join(user(attribute) for attribute in profile)
        reads[Read.PROFILE] = f"SELECT {attributes} FROM {_table('users', sources.users)} WHERE {user('user_id')} = ?"
    return reads


def aggregate_tables(target: settings.Target) -> frozenset[tuple[str, str]]:
    """The tables that hold maps of metrics, by keyspace and name."""
    return frozenset(
        (target.keyspace, target.tables[table.name]) for table in (GROUP_ACTIVITY_AGG, GROUP_ACTIVITY_USER_AGG)
    )


def _table(name: str, source: settings.Source | None) -> str:
    if source is None or source.format != "cassandra" or not source.keyspace or not source.table:
        raise BadRequest(
            f"the read API needs sources.{name} in Cassandra: set sources.{name} to "
            "{format: cassandra, keyspace: …, table: …}"
        )
    return f"{protect_name(source.keyspace)}.{protect_name(source.table)}"


def _target(target: settings.Target, name: str) -> str:
    return f"{target.keyspace}.{target.tables[name]}"


def _columns(source: settings.Source | None, usual: Mapping[str, str]) -> Callable[[str], str]:
    """Tells the deployed name of a column: as mapped in the settings, else as the platform has it."""
    mapped = {**usual, **(source.columns if source else {})}
    return lambda column: str(protect_name(mapped.get(column, column)))
