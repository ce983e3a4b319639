"""The scope of a run: which rows it may change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from activity_aggregates.errors import BadRequest

_TYPES = ("Course", "CourseUnit", "Quiz")
_COURSE = "Course"
_CONTEXT_PREFIX = "cb:"

Activity = tuple[str | None, str]


@dataclass(frozen=True)
class Scope:
    """Activities as (type or None for any, id), contexts, groups and users; an empty set restricts nothing."""

    activities: frozenset[Activity] = frozenset()
    contexts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls, activities: Iterable[str], contexts: Iterable[str], groups: Iterable[str], users: Iterable[str]
    ) -> Scope:
        """From the values of the flags; raises BadRequest for a value that names nothing."""
        return cls(
            frozenset(activity("--activity", value) for value in activities),
            frozenset(context("--context", value) for value in contexts),
            frozenset(named("--group", value) for value in groups),
            frozenset(named("--user", value) for value in users),
        )

    @property
    def is_full(self) -> bool:
        return self == Scope()

    def intersects(self, other: Scope) -> bool:
        """Whether some row may be in both scopes. Users part nothing: the rows of activities count all learners."""
        return not (
            _are_disjoint(self.contexts, other.contexts)
            or _are_disjoint(self.groups, other.groups)
            or _are_activities_disjoint(self.activities, other.activities)
        )

    def describe(self) -> str:
        """A few words for a table: `full`, `Course:c1`, `3 users`.

        >>> Scope.parse(["Course:c1"], [], [], ["u1", "u2"]).describe()
        'Course:c1, 2 users'
        """
        activities = [f"{kind}:{name}" if kind else name for kind, name in self.activities]
        parts = (
            _few("activities", activities),
            _few("contexts", self.contexts),
            _few("groups", [f"group {group}" for group in self.groups]),
            _few("users", [f"user {user}" for user in self.users]),
        )
        return ", ".join(part for part in parts if part) or "full"

    def to_json(self) -> str:
        """Stable text; the full scope is {}."""
        activities = sorted(([kind, name] for kind, name in self.activities), key=str)
        lists = {"contexts": sorted(self.contexts), "groups": sorted(self.groups), "users": sorted(self.users)}
        return json.dumps({name: values for name, values in {"activities": activities, **lists}.items() if values})

    @classmethod
    def from_json(cls, text: str) -> Scope:
        lists = json.loads(text)
        return cls(
            frozenset((kind, name) for kind, name in lists.get("activities", ())),
            *(frozenset(lists.get(name, ())) for name in ("contexts", "groups", "users")),
        )


def users_file(path: Path) -> list[str]:
    """The ids in a file, one per line; blank lines and those that begin with # are passed over."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(f"--users-file {path} cannot be read ({reason}): name a text file of ids") from error
    users = [line for line in lines if line and not line.startswith("#")]
    if not users:
        raise BadRequest(f"--users-file {path} names no user: write one id per line")
    return users


def activity(place: str, value: str) -> Activity:
    """An activity as `place` names it, TYPE:ID or ID; raises BadRequest for anything else."""
    kind, colon, name = value.partition(":")
    if colon and kind in _TYPES:
        return kind, named(f"{place} {kind}:", name)
    if colon:
        raise BadRequest(f"{place} {value!r} is of no known type: write {', '.join(_TYPES)} before the colon")
    return None, named(place, value)


def context(place: str, value: str) -> str:
    """A context as `place` names it; raises BadRequest for what is none."""
    if not value.startswith(_CONTEXT_PREFIX) or not value.removeprefix(_CONTEXT_PREFIX).strip():
        raise BadRequest(f"{place} {value!r} is no context: write cb:<batch id>")
    return value


def named(place: str, value: str) -> str:
    """An id as `place` names it; raises BadRequest for a blank one."""
    if not value.strip():
        raise BadRequest(f"{place} {value!r} names nothing: give an id")
    return value


def _are_disjoint(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and one.isdisjoint(other)


def _are_activities_disjoint(one: frozenset[Activity], other: frozenset[Activity]) -> bool:
    """A course takes its units and quizzes along, so only like is told from like: courses, or what is below them."""
    if not (one and other):
        return False
    kinds = {kind for kind, _ in one | other}
    is_comparable = kinds == {_COURSE} or not kinds & {_COURSE, None}
    return is_comparable and one.isdisjoint(other)


def _few(name: str, values: Iterable[str]) -> str:
    listed = sorted(values)
    return listed[0] if len(listed) == 1 else f"{len(listed)} {name}" if listed else ""
