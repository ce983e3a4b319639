"""What the two routes answer: who may see a group, which rows that takes, and the result they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from cassandra.cluster import ResponseFuture

from activity_aggregates.api.bodies import ActivityQuery, GroupQuery
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.paging import Pages
from activity_aggregates.api.edge.refusals import ACTIVITY_NOT_FOUND, FORBIDDEN, GROUP_NOT_FOUND, Refused
from activity_aggregates.api.answering.shapes import AGG, MEMBERS, METADATA, Entry, Fields, Maps, entries, flattened
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.api.stored.store import Reads
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.store.erased import Erased

ACTIVE = "active"

ActivityKey = tuple[str, str]  # type, id


@dataclass(frozen=True)
class Listing:
    """How members are listed: the attributes shown of each, and the bounds of a page."""

    profile: tuple[str, ...]
    page_size: int
    max_page_size: int
    pages: Pages


@dataclass(frozen=True)
class Member:
    """An active member of a group."""

    user_id: str
    role: str | None


class Admission:
    """Sends the reads that tell who may see a group, and judges when they have come back."""

    def __init__(self, reads: Reads, caller: Caller, group_id: str) -> None:
        self._reads = reads
        self._is_service = caller.is_service
        self._is_erased = reads.erased.has(caller.user_id)
        self._group = reads.start(Read.GROUP, group_id)
        self._member = None if caller.is_service else reads.start(Read.MEMBER, group_id, caller.user_id)

    def activities(self) -> list[ActivityKey]:
        """The activities of the group, once the caller is known to be one who may see them."""
        group = self._reads.row(self._group)
        member = self._reads.row(self._member) if self._member is not None else None
        if not self._is_service and (member is None or member[0] != ACTIVE or self._is_erased):
            raise Refused(FORBIDDEN)
        if group is None or group[0] != ACTIVE:
            raise Refused(GROUP_NOT_FOUND)
        return group_activities(group[1] or [])


def group_aggregates(reads: Reads, metadata: Metadata, caller: Caller, query: GroupQuery) -> Entry:
    """The activities of a group in its own order, each with what is known of all its members together."""
    fields = Fields.of(query.fields)
    admission = Admission(reads, caller, query.groupId)
    stored = reads.start(Read.GROUP_AGGREGATES, query.groupId) if fields.has(AGG) else None
    wanted = {(activity.type, activity.id) for activity in query.activities}
    activities = [activity for activity in admission.activities() if not wanted or activity in wanted]
    described = {key: metadata.start(reads, key) for key in activities if fields.has(METADATA)}
    rows = {row[:2]: row[2:] for row in stored.result()} if stored else {}
    listed = []
    for key in activities:
        activity = named(key)
        if stored:
            activity[AGG] = entries(rows.get(key), fields)
        listed.append(flattened(metadata.finish(key, described[key]), activity) if key in described else activity)
    return {"groupId": query.groupId, "activity": listed}


def activity_aggregates(
    reads: Reads, metadata: Metadata, listing: Listing, caller: Caller, query: ActivityQuery
) -> Entry:
    """One activity of a group, with its members a page at a time."""
    fields = Fields.of(query.fields)
    key = (query.activityType, query.activityId)
    bound_to = (query.groupId, *key, caller.user_id)
    after = listing.pages.last(query.next, *bound_to) if query.next is not None else None
    limit = min(query.limit or listing.page_size, listing.max_page_size)
    admission = Admission(reads, caller, query.groupId)
    stored = reads.start(Read.ACTIVITY_AGGREGATES, query.groupId, *key) if fields.has(AGG) else None
    described = metadata.start(reads, key) if fields.has(METADATA) else None
    members = started_members(reads, query.groupId, after, limit + 1) if fields.has(MEMBERS) else None
    if key not in admission.activities():
        raise Refused(ACTIVITY_NOT_FOUND)
    activity = named(key)
    if described is not None:
        activity[METADATA] = metadata.finish(key, described)
    if stored:
        activity[AGG] = entries(reads.row(stored), fields)
    if members:
        page = list(islice(active(members, reads.erased), limit + 1))
        if len(page) > limit:
            activity["next"] = listing.pages.token(page[limit - 1].user_id, *bound_to)
        rows = member_rows(reads, query.groupId, key, page[:limit])
        shown = profiles(reads, listing.profile, page[:limit])
        activity[MEMBERS] = [
            {
                **shown.get(member.user_id, {}),
                "id": member.user_id,
                "role": member.role,
                AGG: entries(rows.get(member.user_id), fields),
            }
            for member in page[:limit]
        ]
    return {"groupId": query.groupId, "activity": activity}


def named(key: ActivityKey) -> Entry:
    kind, identifier = key
    return {"id": identifier, "type": kind}


def group_activities(listed: Iterable[Mapping[str, str]]) -> list[ActivityKey]:
    """What a group lists, a duplicate once; an entry with a blank id or type is none.

    >>> group_activities([{"id": "c1", "type": "Course"}, {"id": "c1", "type": "Course"}, {"id": " ", "type": "Quiz"}])
    [('Course', 'c1')]
    """
    named = [dict(activity.items()) for activity in listed]
    keys = [(activity.get("type") or "", activity.get("id") or "") for activity in named]
    return list(dict.fromkeys(key for key in keys if all(part.strip() for part in key)))


def started_members(reads: Reads, group_id: str, after: str | None, rows: int) -> ResponseFuture:
    """Sends the read of a group's members, from the one after `after`, so many rows at a time."""
    if after is None:
        return reads.start(Read.MEMBERS, group_id, rows=rows)
    return reads.start(Read.MEMBERS_AFTER, group_id, after, rows=rows)


def active(members: ResponseFuture, erased: Erased) -> Iterable[Member]:
    """The active members in the order of their ids, without who was erased.

    Reads on where the rows of others use up a page.
    """
    return (
        Member(user_id, role)
        for user_id, status, role in members.result()
        if status == ACTIVE and user_id.strip() and not erased.has(user_id)
    )


def member_rows(reads: Reads, group_id: str, key: ActivityKey, page: list[Member]) -> dict[str, Maps]:
    """The stored maps of neighbouring members, by user; a member without a row is absent."""
    if not page:
        return {}
    started = reads.start(Read.MEMBER_AGGREGATES, group_id, *key, page[0].user_id, page[-1].user_id)
    return {row[0]: row[1:] for row in started.result()}


def profiles(reads: Reads, attributes: tuple[str, ...], page: list[Member]) -> dict[str, Entry]:
    """The attributes of members, by user, all read at once; none where none are configured."""
    if not attributes:
        return {}
    started = {member.user_id: reads.start(Read.PROFILE, member.user_id) for member in page}
    rows = {user_id: reads.row(read) for user_id, read in started.items()}
    return {user_id: dict(zip(attributes, row, strict=True)) for user_id, row in rows.items() if row}
