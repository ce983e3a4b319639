"""The rows that go into the model. Every date is whole milliseconds since 1970, so that none is beyond what is held."""

from dataclasses import dataclass, field
from typing import NamedTuple

Metrics = dict[str, float]
Date = int | None


class Enrolment(NamedTuple):
    user_id: str | None
    course_id: str | None
    batch_id: str | None
    active: bool | None = None
    status: int | None = None
    completed_on: Date = None
    enrolled_on: Date = None
    accessed_on: Date = None
    certificates: list[dict[str, str]] | None = None


class Progress(NamedTuple):
    user_id: str | None
    course_id: str | None
    batch_id: str | None
    content_id: str | None
    status: int | None = None
    accessed_on: Date = None


class Attempt(NamedTuple):
    course_id: str | None
    batch_id: str | None
    user_id: str | None
    content_id: str | None
    attempt_id: str | None
    total_score: float | None = 0.0
    total_max_score: float | None = 1.0
    last_attempted_on: Date = None


class GroupAttempt(NamedTuple):
    group_id: str | None
    content_id: str | None
    user_id: str | None
    attempt_id: str | None
    total_score: float | None = 0.0
    total_max_score: float | None = 1.0
    last_attempted_on: Date = None


class TimeSpent(NamedTuple):
    user_id: str | None
    course_id: str | None
    batch_id: str | None
    seconds: float | None = None


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
    group_attempts: list[GroupAttempt] = field(default_factory=list)
    timespent: list[TimeSpent] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """What the definitions leave to whoever runs the job; those of the tests' configuration, unless said otherwise."""

    families: frozenset[str] = frozenset({"completion"})
    sticky: bool = True
    scores_in_course: bool = True
    course_types: tuple[str, ...] = ("Course",)
    time_zone: str = "UTC"
    carry: tuple[str, ...] = ()

    def means_course(self, listed_type: str) -> bool:
        return listed_type.lower() in {"course", *(name.lower() for name in self.course_types)}


FAMILIES = frozenset({"completion", "dates", "certificates", "scores", "time", "groups"})


class Place(NamedTuple):
    """An enrolment's key, and that of everything that happened under it."""

    user_id: str
    course_id: str
    batch_id: str

    @property
    def context_id(self) -> str:
        return f"cb:{self.batch_id}"


def is_blank(key: object) -> bool:
    return not isinstance(key, str) or not key.strip()


def is_unusable(key: object) -> bool:
    """Whether a part of a key is blank or longer than keys may be."""
    return is_blank(key) or len(str(key).encode()) > 1024
