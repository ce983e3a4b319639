"""The rows that go into the model and the ones that come out."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

Metrics = dict[str, float]


class Enrolment(NamedTuple):
    user_id: str | None
    course_id: str | None
    batch_id: str | None
    active: bool | None = None
    status: int | None = None
    completed_on: datetime | None = None


class Progress(NamedTuple):
    user_id: str | None
    course_id: str | None
    batch_id: str | None
    content_id: str | None
    status: int | None = None


class Attempt(NamedTuple):
    course_id: str | None
    batch_id: str | None
    user_id: str | None
    content_id: str | None
    attempt_id: str | None
    total_score: float | None = 0.0
    total_max_score: float | None = 1.0
    last_attempted_on: datetime | None = None


class Group(NamedTuple):
    group_id: str | None
    name: str | None = None
    status: str | None = "active"
    activities: list[dict[str, str | None]] | None = None


class GroupMember(NamedTuple):
    group_id: str | None
    user_id: str | None
    status: str | None = "active"
    role: str | None = "member"


@dataclass(frozen=True)
class Source:
    """The rows of the source tables; `hierarchies` maps the row key to the text stored under it."""

    enrolments: list[Enrolment] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    hierarchies: dict[str, str | None] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    group_members: list[GroupMember] = field(default_factory=list)


class Place(NamedTuple):
    """An enrolment's key, and that of everything that happened under it."""

    user_id: str
    course_id: str
    batch_id: str

    @property
    def context_id(self) -> str:
        return f"cb:{self.batch_id}"


class UserKey(NamedTuple):
    activity_type: str
    activity_id: str
    user_id: str
    context_id: str


class ActivityKey(NamedTuple):
    activity_type: str
    activity_id: str
    context_id: str


class CatalogKey(NamedTuple):
    context_id: str
    activity_type: str
    activity_id: str


class GroupKey(NamedTuple):
    group_id: str
    activity_type: str
    activity_id: str


class GroupUserKey(NamedTuple):
    group_id: str
    activity_type: str
    activity_id: str
    user_id: str


@dataclass(frozen=True)
class Expected:
    """The target tables, row by row, and what was refused or counted on the way (0 where nothing was)."""

    activity_user_agg: dict[UserKey, Metrics]
    activity_agg: dict[ActivityKey, Metrics]
    group_activity_agg: dict[GroupKey, Metrics]
    group_activity_user_agg: dict[GroupUserKey, Metrics]
    catalog: dict[CatalogKey, str]
    counts: Counter[str]


def is_blank(key: object) -> bool:
    return not isinstance(key, str) or not key.strip()
