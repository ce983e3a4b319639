"""The scope of a run: which rows it may change."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from activity_aggregates.errors import BadRequest
from activity_aggregates.texts import read_text
from metrics.names import ACTIVITY_TYPES, BATCH_CONTEXT, CONTEXTS, LONGEST_KEY

LEARNERS, PAIRS = "learners", "pairs"  # what SealedLearners count
RECORDED_IDS = "users"  # where earlier versions recorded ids

Activity = tuple[str | None, str]


@dataclass(frozen=True)
class SealedLearners:
    """What is kept of learners that a run was asked for: how many, and a digest by which the same ones are known.

    `what` is counted: learners, or the pairs of a file.
    """

    number: int
    digest: str
    what: str = LEARNERS

    @classmethod
    def sealed(cls, ids: Iterable[str], secret: bytes, what: str = LEARNERS) -> SealedLearners:
        """Of ids that are not to be kept; without a secret the digest is a plain hash."""
        known = sorted(set(ids))
        text = "\n".join(known).encode()
        digest = hmac.digest(secret, text, "sha256").hex() if secret else hashlib.sha256(text).hexdigest()
        return cls(len(known), digest, what)


@dataclass(frozen=True)
class Scope:
    """Activities as (type or None for any, id), contexts, groups and users; an empty set restricts nothing.

    What is recorded and logged is `sealed`: it has `learners` in place of the ids of `users`.
    """

    activities: frozenset[Activity] = frozenset()
    contexts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    learners: SealedLearners | None = None

    @classmethod
    def parse(
        cls, activities: Iterable[str], contexts: Iterable[str], groups: Iterable[str], users: Iterable[str]
    ) -> Scope:
        """From the values of the flags; raises BadRequest for one that names nothing, and for groups with others."""
        found = cls(
            frozenset(activity("--activity", value) for value in activities),
            frozenset(context("--context", value) for value in contexts),
            frozenset(named("--group", value) for value in groups),
            frozenset(named("--user", value) for value in users),
        )
        if found.mixes_groups:
            raise BadRequest(
                "--group goes alone, for its rows are of no context, activity or learner: "
                "leave the other flags out, or start a run for each"
            )
        return found

    @property
    def is_full(self) -> bool:
        return self == Scope()

    @property
    def mixes_groups(self) -> bool:
        """Whether it names groups beside something else, of which it could mean neither both nor what they share."""
        return bool(self.groups) and self != Scope(groups=self.groups)

    @property
    def is_of_learners(self) -> bool:
        """Whether it names learners, by their ids or sealed."""
        return bool(self.users) or self.learners is not None

    def sealed(self, secret: bytes) -> Scope:
        """The same scope without a learner's id."""
        if not self.users:
            return self
        return replace(self, users=frozenset(), learners=SealedLearners.sealed(self.users, secret))

    def intersects(self, other: Scope) -> bool:
        """Whether some row may be in both scopes.

        One of learners meets every other, for nobody knows where they are, and so do two of activities: each is looked
        at in whole contexts, which may have both.
        """
        if self.is_of_learners or other.is_of_learners:
            return True
        return not (_are_disjoint(self.contexts, other.contexts) or _are_disjoint(self.groups, other.groups))

    def describe(self) -> str:
        """A few words for a table: `full`, `Course:c1`, `3 learners`. They name no learner.

        >>> Scope.parse(["Course:c1"], [], [], ["u1", "u2"]).describe()
        'Course:c1, 2 learners'
        """
        number, what = (self.learners.number, self.learners.what) if self.learners else (len(self.users), LEARNERS)
        activities = [f"{kind}:{name}" if kind else name for kind, name in self.activities]
        parts = (
            _few("activities", activities),
            _few("contexts", self.contexts),
            _few("groups", [f"group {group}" for group in self.groups]),
            f"{number} {what.removesuffix('s') if number == 1 else what}" if number else "",
        )
        return ", ".join(part for part in parts if part) or "full"

    def to_json(self) -> str:
        """Stable text of a sealed scope; the full one is {}."""
        if self.users:
            raise ValueError("a scope is sealed before it is recorded")
        activities = sorted(([kind, name] for kind, name in self.activities), key=str)
        lists = {"activities": activities, "contexts": sorted(self.contexts), "groups": sorted(self.groups)}
        found: dict[str, object] = {name: values for name, values in lists.items() if values}
        return json.dumps(found | ({"learners": asdict(self.learners)} if self.learners else {}))

    @staticmethod
    @lru_cache(maxsize=1024)
    def from_json(text: str) -> Scope:
        """A recorded scope. Earlier versions recorded the ids of `users`: of those only the number is taken."""
        found = json.loads(text)
        learners = SealedLearners(**found["learners"]) if "learners" in found else None
        if before := found.get(RECORDED_IDS):
            learners = SealedLearners(len(before), "")
        return Scope(
            frozenset((kind, name) for kind, name in found.get("activities", ())),
            frozenset(found.get("contexts", ())),
            frozenset(found.get("groups", ())),
            learners=learners,
        )


EVERYTHING = Scope()


def users_of(paths: Iterable[Path]) -> list[str]:
    """The ids in all of these files."""
    return [user for path in paths for user in users_file(path)]


def users_file(path: Path) -> list[str]:
    """The ids in a file, one per line; blank lines and those that begin with # are passed over.

    A byte order mark, which spreadsheets write, is not part of the first id.
    """
    text = read_text(path, f"--users-file {path}", "name a text file of ids", "utf-8-sig")
    lines = [line.strip() for line in text.split("\n")]  # splitlines would also part an id at signs that it may hold
    users = [line for line in lines if line and not line.startswith("#")]
    if not users:
        raise BadRequest(f"--users-file {path} names no user: write one id per line")
    return users


def activity(place: str, value: str) -> Activity:
    """An activity as `place` names it, TYPE:ID or ID; raises BadRequest for anything else."""
    kind, colon, name = value.partition(":")
    if colon and kind in ACTIVITY_TYPES:
        return kind, named(f"{place} {kind}:", name)
    if colon:
        raise BadRequest(f"{place} {value!r} is of no known type: write {', '.join(ACTIVITY_TYPES)} before the colon")
    return None, named(place, value)


def listed_activity(place: str, value: str) -> Activity:
    """An activity with the type that a group lists, which may be any, as `place` names it: TYPE:ID or ID.

    >>> listed_activity("--activity", "TextBook:do_1")
    ('TextBook', 'do_1')
    """
    kind, colon, name = value.partition(":")
    if not colon:
        return None, named(place, value)
    if not kind.strip():
        raise BadRequest(f"{place} {value!r} is of no type: write TYPE:ID, or the id alone")
    return kind, named(f"{place} {kind}:", name)


def context(place: str, value: str) -> str:
    """A context as `place` names it; raises BadRequest for anything else."""
    prefix = next((prefix for prefix in CONTEXTS if value.startswith(prefix)), None)
    if prefix is None or not value.removeprefix(prefix).strip():
        raise BadRequest(f"{place} {value!r} is not a context: write cb:<batch id>, or g:<group id>")
    return _short(place, value)


def named(place: str, value: str) -> str:
    """An id as `place` names it; raises BadRequest for a blank one, and for one that is longer than any."""
    if not value.strip():
        raise BadRequest(f"{place} {value!r} names nothing: give an id")
    return _short(place, value)


def _short(place: str, value: str) -> str:
    if len(value.encode()) > LONGEST_KEY + len(BATCH_CONTEXT):
        raise BadRequest(f"{place} begins with {value[:40]!r} and goes on: no id is longer than {LONGEST_KEY} bytes")
    return value


def _are_disjoint(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and one.isdisjoint(other)


def _few(name: str, values: Iterable[str]) -> str:
    listed = sorted(values)
    return listed[0] if len(listed) == 1 else f"{len(listed)} {name}" if listed else ""
