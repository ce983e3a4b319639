"""The source tables under the names and keys that the platform deploys, upserted and deleted as in Cassandra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from tests.model.rows import (
    Attempt,
    Enrolment,
    Group,
    GroupAttempt,
    GroupMember,
    Progress,
    Source,
    TimeSpent,
)

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The columns of each table in the order of the model's rows, the number of those that are its key, and its dates.
COLUMNS: Final = {
    "user_enrolments": "userid courseid batchid active status completedon enrolled_date lastcontentaccesstime "
    "issued_certificates",
    "user_content_consumption": "userid courseid batchid contentid status last_access_time",
    "content_hierarchy": "identifier hierarchy",
    "assessment_aggregator": "course_id batch_id user_id content_id attempt_id total_score total_max_score "
    "last_attempted_on",
    "course_batch": "courseid batchid",
    "group": "id name status activities",
    "group_member": "groupid userid status role",
    "group_attempts": "group_id content_id user_id attempt_id total_score total_max_score last_attempted_on",
    "timespent": "user_id course_id batch_id seconds",
}
KEY_SIZES: Final = {
    "user_enrolments": 3,
    "user_content_consumption": 4,
    "content_hierarchy": 1,
    "assessment_aggregator": 5,
    "course_batch": 2,
    "group": 1,
    "group_member": 2,
    "group_attempts": 4,
    "timespent": 3,
}
DATES = {"completedon", "enrolled_date", "lastcontentaccesstime", "last_access_time", "last_attempted_on"}


def key_columns(table: str) -> list[str]:
    return COLUMNS[table].split()[: KEY_SIZES[table]]


class Deployed:
    """The rows of all tables by primary key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {table: {} for table in COLUMNS}

    def load(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Upsert: columns that are not given stay."""
        for row in rows:
            key = tuple(row[column] for column in key_columns(table))
            self.tables[table][key] = self.tables[table].get(key, {}) | dict(row)

    def delete(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self.tables[table].pop(tuple(row[column] for column in key_columns(table)), None)

    def source(self) -> Source:
        return Source(
            enrolments=[Enrolment(*values) for values in self._values("user_enrolments")],
            progress=[Progress(*values) for values in self._values("user_content_consumption")],
            hierarchies={key: text for key, text in self._values("content_hierarchy")},  # noqa: C416
            attempts=[Attempt(*values) for values in self._values("assessment_aggregator")],
            groups=[Group(*values) for values in self._values("group")],
            group_members=[GroupMember(*values) for values in self._values("group_member")],
            group_attempts=[GroupAttempt(*values) for values in self._values("group_attempts")],
            timespent=[TimeSpent(*values) for values in self._values("timespent")],
        )

    def _values(self, table: str) -> list[list[Any]]:
        columns = COLUMNS[table].split()
        return [
            [milliseconds(row.get(column)) if column in DATES else row.get(column) for column in columns]
            for row in self.tables[table].values()
        ]


def milliseconds(value: Any) -> int | None:
    """Of a date as the cases write it.

    >>> milliseconds("2026-01-01T00:00:00Z"), milliseconds(1764144000000000000), milliseconds(None)
    (1767225600000, 1764144000000000000, None)
    """
    if value is None or isinstance(value, int):
        return value
    moment = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)
