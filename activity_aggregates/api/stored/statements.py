"""The statements of the API: each reads one partition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum

from cassandra.metadata import protect_name

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_DAY_AGG,
    ACTIVITY_METADATA,
    ACTIVITY_USER_AGG,
    AGGREGATE_TABLES,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
)

# Our names of columns where the platform's differ, as the job has them; this process does without Spark.
GROUP_COLUMNS = {"group_id": "id"}
MEMBER_COLUMNS = {"group_id": "groupid", "user_id": "userid"}
MEMBER_CREATED_BY = "createdby"  # who has added a member: clients in the field are told where it is known
USER_COLUMNS = {"user_id": "id"}

MOST_DAYS = 400


class Read(Enum):
    """What is read, with its key."""

    GROUP = "a group, by id"
    MEMBER = "a member, by group and user"
    MEMBERS = "the members of a group, in the order of their ids"
    MEMBERS_AFTER = "the members of a group that follow a user"
    GROUP_AGGREGATES = "all activities of a group"
    GROUP_ACTIVITY = "one activity of a group, by group, type and id"
    MEMBER_AGGREGATES = "one activity's rows of the users from .. to .., by group, type and id"
    ACTIVITY = "one activity in one context, by type, id and context"
    DAYS = "the days of an activity in a context from .. to .., newest first, by type, id and context"
    LEARNER = "a learner's rows of all contexts, by type, id and user"
    LEARNER_CONTEXT = "a learner's row of one context, by type, id, user and context"
    OWNER = "the course that an activity belongs to, by context, type and id"
    METADATA = "an activity's metadata, by type and id"
    PROFILE = "the columns of a user that are shown, by id"


Statements = dict[Read, str]


def statements(sources: settings.Sources, target: settings.Target, columns: Collection[str]) -> Statements:
    """The CQL of every read; `columns` are those of a user. Raises BadRequest where sources are not of Cassandra."""
    reads = {**_of_groups(sources), **_of_members(sources, MEMBER_CREATED_BY), **_of_aggregates(target)}
    if columns:
        user = _columns(sources.users, USER_COLUMNS)
        shown = ", ".join(user(column) for column in columns)
        reads[Read.PROFILE] = f"SELECT {shown} FROM {_table('users', sources.users)} WHERE {user('user_id')} = ?"
    return reads


def without_creators(sources: settings.Sources) -> Statements:
    """The reads of members where their table does not have who has added them."""
    return _of_members(sources)


def _of_groups(sources: settings.Sources) -> Statements:
    group = _columns(sources.groups, GROUP_COLUMNS)
    groups = f"FROM {_table('groups', sources.groups)} WHERE {group('group_id')} = ?"
    member = _columns(sources.group_members, MEMBER_COLUMNS)
    members = f"FROM {_table('group_members', sources.group_members)} WHERE {member('group_id')} = ?"
    return {
        Read.GROUP: f"SELECT {group('status')}, {group('activities')} {groups}",
        Read.MEMBER: f"SELECT {member('status')}, {member('role')} {members} AND {member('user_id')} = ?",
    }


def _of_members(sources: settings.Sources, *further: str) -> Statements:
    member = _columns(sources.group_members, MEMBER_COLUMNS)
    members = f"FROM {_table('group_members', sources.group_members)} WHERE {member('group_id')} = ?"
    shown = ", ".join(member(column) for column in ("user_id", "status", "role", *further))
    listed = f"SELECT {shown} {members}"
    return {Read.MEMBERS: listed, Read.MEMBERS_AFTER: f"{listed} AND {member('user_id')} > ?"}


def _of_aggregates(target: settings.Target) -> Statements:
    maps = f"{target.columns.agg}, {target.columns.agg_last_updated}"

    def of(table: str) -> str:
        return f"FROM {target.keyspace}.{target.tables[table]} WHERE"

    activity = "activity_type = ? AND activity_id = ?"
    learner = f"{of(ACTIVITY_USER_AGG.name)} {activity} AND user_id = ?"
    groups, in_group = of(GROUP_ACTIVITY_AGG.name), f"group_id = ? AND {activity}"
    return {
        Read.GROUP_AGGREGATES: f"SELECT activity_type, activity_id, {maps} {groups} group_id = ?",
        Read.GROUP_ACTIVITY: f"SELECT {maps} {groups} {in_group}",
        Read.MEMBER_AGGREGATES: f"SELECT user_id, {maps} {of(GROUP_ACTIVITY_USER_AGG.name)} {in_group} "
        "AND user_id >= ? AND user_id <= ?",
        Read.ACTIVITY: f"SELECT {maps} {of(ACTIVITY_AGG.name)} {activity} AND context_id = ?",
        Read.LEARNER: f"SELECT context_id, {maps} {learner}",
        Read.LEARNER_CONTEXT: f"SELECT context_id, {maps} {learner} AND context_id = ?",
        Read.OWNER: f"SELECT course_id {of(ACTIVITY_CATALOG.name)} context_id = ? AND {activity}",
        Read.METADATA: f"SELECT metadata {of(ACTIVITY_METADATA.name)} {activity}",
        Read.DAYS: f"SELECT day, {maps} {of(ACTIVITY_DAY_AGG.name)} {activity} AND context_id = ? "
        f"AND day >= ? AND day <= ? ORDER BY day DESC LIMIT {MOST_DAYS}",
    }


def aggregate_tables(target: settings.Target) -> frozenset[tuple[str, str]]:
    """The tables that hold maps of metrics, by keyspace and name."""
    return frozenset((target.keyspace, target.tables[table.name]) for table in AGGREGATE_TABLES)


def users_table(sources: settings.Sources) -> tuple[str, str] | None:
    """Keyspace and name of the table of users; None where none is given."""
    users = sources.users
    return (users.keyspace, users.table) if users and users.keyspace and users.table else None


def _table(name: str, source: settings.Source | None) -> str:
    if source is None or source.format != "cassandra" or not source.keyspace or not source.table:
        raise BadRequest(
            f"the read API needs sources.{name} in Cassandra: set sources.{name} to "
            "{format: cassandra, keyspace: …, table: …}"
        )
    return f"{protect_name(source.keyspace)}.{protect_name(source.table)}"


def _columns(source: settings.Source | None, usual: Mapping[str, str]) -> Callable[[str], str]:
    """Tells the deployed name of a column: as mapped in the settings, else as the platform has it."""
    mapped = {**usual, **(source.columns if source else {})}
    return lambda column: str(protect_name(mapped.get(column, column)))
