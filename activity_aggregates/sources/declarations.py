"""What is read of each source: its columns with their types, and under which names the platform deploys them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from pyspark.sql.types import StructField, StructType, TimestampType, _parse_datatype_string

from metrics.refusals import HAS_INVALID_DATE


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A source by its setting's name: `schema` are the columns of its DataFrame, `columns` the names as deployed.

    `optional` columns may be missing where the source is deployed, and are null then. Of each pair in `either` one is
    enough. Of lists in `counted` only the number of entries is read.

    A value of a text file that cannot be read as its column's type puts `refused_by` = (column, SQL value) into its
    row, which the metrics refuse and count: nothing unreadable passes for a null. An unreadable date has a reason of
    its own, see `frame_schema`.

    `written` are the columns whose write time in Cassandra tells when a row was changed, `dated` those that say it
    themselves. Where `may_be_undated`, a file need not say it: only full runs look at it then. What is asked for
    `by_partition` is so by conditions on its partition key, which has one column.
    """

    name: str
    schema: str
    columns: Mapping[str, str] = field(hash=False)
    optional: tuple[str, ...] = ()
    either: tuple[tuple[str, str], ...] = ()
    counted: tuple[str, ...] = ()
    refused_by: tuple[str, str] | None = None
    written: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    may_be_undated: bool = False
    by_partition: bool = False

    @property
    def dates(self) -> tuple[str, ...]:
        """The columns that are points in time."""
        return tuple(each.name for each in fields(self) if isinstance(each.dataType, TimestampType))

    @property
    def frame_schema(self) -> str:
        """The columns, and where there are dates, whether the row has one that cannot be held."""
        return f"{self.schema}, {HAS_INVALID_DATE} boolean" if self.dates else self.schema


ENROLMENTS = SourceTable(
    name="enrolments",
    schema="user_id string, course_id string, batch_id string, active boolean, status int, completed_on timestamp, "
    "enrolled_on timestamp, accessed_on timestamp, certificates int",
    columns={
        "user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "completed_on": "completedon",
        "enrolled_on": "enrolled_date", "accessed_on": "lastcontentaccesstime", "certificates": "issued_certificates",
    },
    optional=("certificates",),
    counted=("certificates",),
    refused_by=("status", "-1"),
    written=("active", "status", "completed_on", "enrolled_on", "accessed_on", "certificates"),
    dated=("accessed_on",),
)  # fmt: skip
PROGRESS = SourceTable(
    name="progress",
    schema="user_id string, course_id string, batch_id string, content_id string, status int, accessed_on timestamp",
    columns={
        "user_id": "userid", "course_id": "courseid", "batch_id": "batchid", "content_id": "contentid",
        "accessed_on": "last_access_time",
    },
    optional=("accessed_on",),
    refused_by=("status", "-1"),
)  # fmt: skip
HIERARCHIES = SourceTable(
    name="hierarchies",
    schema="course_id string, hierarchy string",
    columns={"course_id": "identifier"},
    written=("hierarchy",),
    by_partition=True,
)
ATTEMPTS = SourceTable(
    name="attempts",
    schema="course_id string, batch_id string, user_id string, content_id string, attempt_id string, "
    "total_score double, total_max_score double, last_attempted_on timestamp",
    columns={},
    refused_by=("total_score", "double('NaN')"),
    written=("total_score", "total_max_score", "last_attempted_on"),
    dated=("last_attempted_on",),
)
# The platform has written `start_date` and `end_date` since 2021, and the texts `startdate` and `enddate` before.
BATCHES = SourceTable(
    name="batches",
    schema="course_id string, start_date string, end_date string, starts_at timestamp, ends_at timestamp",
    columns={
        "course_id": "courseid", "start_date": "startdate", "end_date": "enddate",
        "starts_at": "start_date", "ends_at": "end_date",
    },
    either=(("starts_at", "start_date"), ("ends_at", "end_date")),
    written=("start_date", "end_date", "starts_at", "ends_at"),
)  # fmt: skip
GROUPS = SourceTable(
    name="groups",
    schema="group_id string, status string, activities array<map<string,string>>",
    columns={"group_id": "id"},
    refused_by=("activities", "array(cast(map() as map<string,string>))"),  # one activity without id and type
    written=("status",),
    by_partition=True,
)
GROUP_MEMBERS = SourceTable(
    name="group_members",
    schema="group_id string, user_id string, status string",
    columns={"group_id": "groupid", "user_id": "userid"},
    written=("status",),
    by_partition=True,
)
GROUP_ATTEMPTS = SourceTable(
    name="group_attempts",
    schema="group_id string, content_id string, user_id string, attempt_id string, "
    "total_score double, total_max_score double, last_attempted_on timestamp",
    columns={},
    refused_by=("total_score", "double('NaN')"),
    written=("total_score", "total_max_score", "last_attempted_on"),
    dated=("last_attempted_on",),
)
TIMESPENT = SourceTable(
    name="timespent",
    schema="user_id string, course_id string, batch_id string, seconds double",
    columns={},
    refused_by=("seconds", "double('NaN')"),
    written=("seconds",),
    may_be_undated=True,
)

# The enrolments once more, for who asks when something happened to them.
ENROLMENT_DATES = SourceTable(
    name="enrolments",
    schema="user_id string, course_id string, batch_id string, completed_on timestamp, enrolled_on timestamp, "
    "accessed_on timestamp",
    columns=ENROLMENTS.columns,
)

SOURCE_TABLES = (
    ENROLMENTS, PROGRESS, HIERARCHIES, ATTEMPTS, BATCHES, GROUPS, GROUP_MEMBERS, GROUP_ATTEMPTS, TIMESPENT
)  # fmt: skip


@cache  # the JVM parses it
def fields(table: SourceTable) -> tuple[StructField, ...]:
    """The columns of the schema with their types."""
    schema = _parse_datatype_string(table.schema)
    assert isinstance(schema, StructType)
    return tuple(schema.fields)
