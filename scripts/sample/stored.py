"""What the run has stored of the sample, read by key: one partition, or a row of it, at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cassandra.cluster import Session

from activity_aggregates.settings import Target
from activity_aggregates.store import targets
from activity_aggregates.store.targets import TargetTable
from metrics.names import COURSE
from scripts.sample.groups import HELD_INSIDE
from scripts.sample.ids import do_id
from scripts.sample.schema import KEYSPACES

Agg = Mapping[str, float]
# What activity_metadata cannot know, as no course has them.
OWN_QUIZZES = {do_id(quiz): quiz for _, quiz in HELD_INSIDE}


@dataclass(frozen=True)
class Activity:
    """An activity by its key; `name` is what activity_metadata calls it, or its id."""

    type: str
    id: str
    name: str


class Stored:
    """The target tables, and what the sources call batches and learners."""

    def __init__(self, session: Session, target: Target) -> None:
        self._session = session
        self._target = target

    def place(self, table: TargetTable) -> str:
        return f"{self._target.keyspace}.{self._target.tables[table.name]}"

    def activity(self, activity_type: str, activity_id: str) -> Activity:
        rows = self._rows(targets.ACTIVITY_METADATA, "metadata", activity_type=activity_type, activity_id=activity_id)
        metadata = rows[0].metadata or {} if rows else {}
        return Activity(activity_type, activity_id, metadata.get("name") or OWN_QUIZZES.get(activity_id, activity_id))

    def of_learner(self, activity: Activity, learner: str, context: str) -> Agg | None:
        key = {"activity_type": activity.type, "activity_id": activity.id, "user_id": learner, "context_id": context}
        return self._agg(targets.ACTIVITY_USER_AGG, **key)

    def of_activity(self, activity: Activity, context: str) -> Agg | None:
        key = {"activity_type": activity.type, "activity_id": activity.id, "context_id": context}
        return self._agg(targets.ACTIVITY_AGG, **key)

    def last_days(self, course: Activity, context: str, most: int) -> list[tuple[date, Agg]]:
        """The newest days of a course in a context, newest first."""
        columns = self._target.columns.agg
        key = {"activity_type": course.type, "activity_id": course.id, "context_id": context}
        rows = self._rows(targets.ACTIVITY_DAY_AGG, f"day, {columns}", f"ORDER BY day DESC LIMIT {most:d}", **key)
        return [(day.date(), agg or {}) for day, agg in rows]

    def below(self, course: Activity, context: str) -> list[Activity]:
        """The units and quizzes of a course in a context: units first, each by name."""
        rows = self._rows(targets.ACTIVITY_CATALOG, "activity_type, activity_id, course_id", context_id=context)
        found = [self.activity(row[0], row[1]) for row in rows if row[2] == course.id and row[0] != COURSE]
        return sorted(found, key=lambda activity: (activity.type, activity.name))

    def of_group(self, group: str) -> list[tuple[Activity, Agg]]:
        """The activities of a group with their counts, in the order of the table: by type, then by id."""
        rows = self._rows(
            targets.GROUP_ACTIVITY_AGG, f"activity_type, activity_id, {self._target.columns.agg}", group_id=group
        )
        return [(self.activity(activity_type, activity_id), agg or {}) for activity_type, activity_id, agg in rows]

    def of_members(self, group: str, activity: Activity) -> dict[str, Agg]:
        """The rows of a group's members in one activity, by learner."""
        key = {"group_id": group, "activity_type": activity.type, "activity_id": activity.id}
        rows = self._rows(targets.GROUP_ACTIVITY_USER_AGG, f"user_id, {self._target.columns.agg}", **key)
        return {learner: agg or {} for learner, agg in rows}

    def active_members(self, group: str) -> list[str]:
        query = f"SELECT userid, status FROM {KEYSPACES['groups']}.group_member WHERE groupid = %s"
        return [learner for learner, status in self._session.execute(query, [group]) if status == "active"]

    def learner_name(self, learner: str) -> str:
        query = f"SELECT firstname, lastname FROM {KEYSPACES['users']}.user WHERE id = %s"
        found = self._session.execute(query, [learner]).one()
        return " ".join(found) if found else learner

    def batch_name(self, course_id: str, batch: str) -> str:
        query = f"SELECT name FROM {KEYSPACES['courses']}.course_batch WHERE courseid = %s AND batchid = %s"
        found = self._session.execute(query, [course_id, batch]).one()
        return found.name if found else batch

    def _agg(self, table: TargetTable, **key: str) -> Agg | None:
        rows = self._rows(table, self._target.columns.agg, **key)
        return rows[0][0] if rows else None

    def _rows(self, table: TargetTable, columns: str, order: str = "", **key: str) -> list[Any]:
        where = " AND ".join(f"{column} = %s" for column in key)
        query = f"SELECT {columns} FROM {self.place(table)} WHERE {where} {order}"
        return list(self._session.execute(query, list(key.values())))
