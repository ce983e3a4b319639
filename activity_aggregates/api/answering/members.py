"""The members of a group: who they are, what they are shown with, and their stored rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activity_aggregates.api.answering.admission import MemberScores
from activity_aggregates.api.answering.fields import Fields, Names
from activity_aggregates.api.answering.paging import Pages
from activity_aggregates.api.answering.shapes import ActivityKey, Entry, Maps
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.api.stored.values import LEFT_OUT, composed
from activity_aggregates.store.erased import Erased
from metrics.names import ACTIVE


@dataclass(frozen=True)
class Profile:
    """What members are shown with: names, and of which columns of Read.PROFILE each is made, by position."""

    attributes: tuple[tuple[str, tuple[int, ...]], ...]
    is_read: bool

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.attributes)

    def of(self, row: Sequence[Any]) -> Entry:
        """A user's row as it is shown; what JSON cannot say is left out.

        >>> Profile((("name", (0, 1)), ("photo", (2,))), is_read=True).of(("Asha", "Bose", b"..."))
        {'name': 'Asha Bose'}
        """
        shown = {name: composed(tuple(row[at] for at in places)) for name, places in self.attributes}
        return {name: value for name, value in shown.items() if value is not LEFT_OUT}


@dataclass(frozen=True)
class Listing:
    """How members are listed: what is shown of each and to whom, the bounds of a page, and what can be asked for."""

    profile: Profile
    scores: MemberScores
    page_size: int
    max_page_size: int
    pages: Pages
    names: Names


@dataclass(frozen=True)
class Member:
    """An active member of a group."""

    user_id: str
    role: str | None
    created_by: str | None = None


def members_after(reads: Reads, group_id: str, after: str | None, first: int) -> Iterator[Member]:
    """The active members of a group from the one after `after`, in the order of their ids, without who was erased.

    So many rows are read with the first read; the read is sent at once.
    """
    key: tuple[Read, *tuple[str, ...]]
    key = (Read.MEMBERS, group_id) if after is None else (Read.MEMBERS_AFTER, group_id, after)
    started = reads.start(*key, rows=first)
    return active(reads.rest(started, *key), reads.erased)


def active(rows: Iterable[Sequence[Any]], erased: Erased) -> Iterator[Member]:
    return (
        Member(user_id, role, *created_by)
        for user_id, status, role, *created_by in rows
        if status == ACTIVE and user_id.strip() and not erased.has(user_id)
    )


def member_rows(reads: Reads, group_id: str, key: ActivityKey, page: Sequence[Member]) -> dict[str, Maps]:
    """The stored maps of neighbouring members, by user; a member without a row is absent."""
    if not page:
        return {}
    ends = (page[0].user_id, page[-1].user_id)
    return {row[0]: row[1:] for row in reads.all_rows(Read.MEMBER_AGGREGATES, group_id, *key, *ends)}


def profiles(reads: Reads, profile: Profile, fields: Fields, page: Sequence[Member]) -> dict[str, Entry]:
    """What members are shown with, by user, as far as it was asked for; a user without a row is absent."""
    if not profile.is_read:
        return {}
    found = reads.each(Read.PROFILE, ((member.user_id,) for member in page))
    return {
        member.user_id: dict(fields.shown(profile.of(rows[0])))
        for member, rows in zip(page, found, strict=True)
        if rows
    }
