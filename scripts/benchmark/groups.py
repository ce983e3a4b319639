"""The data set of `bench api`: groups whose every member has a row for every activity, the most there is to read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from cassandra.cluster import ResponseFuture, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from activity_aggregates.settings import Settings
from scripts.sample.schema import KEYSPACES, create_source_tables

GROUPS, MEMBERS, ACTIVITIES = 500, 150, 20
METRICS = ("completed", "completedCount", "completionPercentage", "leafNodesCount", "startedCount")
OF_GROUP = ("completedCount", "completionPercentage", "enrolledCount", "memberCount")
FIRST = datetime(2026, 1, 1)  # noqa: DTZ001 - as the driver takes timestamps
KINDS = 100  # distinct rows of numbers

IN_FLIGHT = 32  # batches
IN_BATCH = 50  # rows, all of one partition


def group_id(group: int) -> str:
    return f"group-{group:05d}"


def user_id(group: int, member: int) -> str:
    return f"user-{group:05d}-{member:03d}"


def activity_id(activity: int) -> str:
    return f"do_31{activity:017d}"


def load(session: Session, settings: Settings, keyspace: str) -> None:
    """Replaces the sources and fills the targets, which `migrate` has created."""
    session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
    create_source_tables(session, dict.fromkeys(KEYSPACES, keyspace))
    target, agg = settings.target, f"{settings.target.columns.agg}, {settings.target.columns.agg_last_updated}"
    activities = [{"type": "Course", "id": activity_id(each)} for each in range(ACTIVITIES)]
    group = f"INSERT INTO {keyspace}.group (id, name, status, activities) VALUES (?, ?, 'active', ?)"
    insert(session, group, [(group_id(each), f"Group {each}", activities) for each in range(GROUPS)])
    member = f"INSERT INTO {keyspace}.group_member (groupid, userid, status, role) VALUES (?, ?, 'active', 'member')"
    insert(session, member, [(group_id(g), user_id(g, m)) for g in range(GROUPS) for m in range(MEMBERS)])
    metadata = (
        f"INSERT INTO {target.keyspace}.activity_metadata (activity_type, activity_id, metadata) VALUES (?, ?, ?)"
    )
    insert(session, metadata, [("Course", each["id"], metadata_of(each["id"])) for each in activities])
    key = "group_id, activity_type, activity_id"
    row = f"INSERT INTO {target.keyspace}.group_activity_agg ({key}, {agg}) VALUES (?, ?, ?, ?, ?)"
    of_groups = [(group_id(g), "Course", each["id"], *maps(OF_GROUP, g)) for g in range(GROUPS) for each in activities]
    insert(session, row, of_groups)
    of_member = f"{target.keyspace}.group_activity_user_agg ({key}, user_id, {agg})"
    insert_members(session, session.prepare(f"INSERT INTO {of_member} VALUES (?, ?, ?, ?, ?, ?)"))


def metadata_of(identifier: str) -> dict[str, str]:
    return {"name": f"Course {identifier}", "status": "Live", "endDate": "2026-12-31", "primaryCategory": "Course"}


def maps(metrics: tuple[str, ...], number: int) -> tuple[dict[str, float], dict[str, datetime]]:
    values = {metric: float((number * 7 + place) % 101) for place, metric in enumerate(metrics)}
    return values, dict.fromkeys(metrics, FIRST + timedelta(minutes=number))


def insert(session: Session, statement: str, rows: list[tuple[Any, ...]]) -> None:
    execute_concurrent_with_args(session, session.prepare(statement), rows, concurrency=IN_FLIGHT)


def insert_members(session: Session, statement: PreparedStatement) -> None:
    """A row per group, activity and member; the maps are encoded once per kind, which is most of the work."""
    encoded = [statement.bind(("", "", "", "", *maps(METRICS, kind))).values[4:] for kind in range(KINDS)]
    started: deque[ResponseFuture] = deque()
    for group in range(GROUPS):
        for activity in range(ACTIVITIES):
            for batch in batches(statement, encoded, group, activity):
                if len(started) == IN_FLIGHT:
                    started.popleft().result()
                started.append(session.execute_async(batch))
        if group % 50 == 49:
            print(f"{(group + 1) * ACTIVITIES * MEMBERS:,} of {GROUPS * ACTIVITIES * MEMBERS:,} rows", flush=True)
    for last in started:
        last.result()


def batches(
    statement: PreparedStatement, encoded: list[list[bytes]], group: int, activity: int
) -> Iterator[BatchStatement]:
    members = iter(range(MEMBERS))
    key = [group_id(group).encode(), b"Course", activity_id(activity).encode()]
    while some := list(islice(members, IN_BATCH)):
        batch = BatchStatement(BatchType.UNLOGGED)
        for member in some:
            bound = BoundStatement(statement)
            bound.values = [*key, user_id(group, member).encode(), *encoded[(group + activity * member) % KINDS]]
            batch.add(bound)
        yield batch
