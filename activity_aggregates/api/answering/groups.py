"""What the two routes of groups answer: the reads that it takes, and the result they make."""

from __future__ import annotations

from itertools import islice

from activity_aggregates.api.answering.admission import admitted
from activity_aggregates.api.answering.fields import AGG, MEMBERS, METADATA
from activity_aggregates.api.answering.members import Listing, Member, member_rows, members_after, profiles
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.shapes import Entry, entries, flattened, named
from activity_aggregates.api.bodies import ActivityQuery, GroupQuery
from activity_aggregates.api.edge.refusals import ACTIVITY_NOT_FOUND, Refused
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read


def group_aggregates(reads: Reads, metadata: Metadata, listing: Listing, caller: Caller, query: GroupQuery) -> Entry:
    """The activities of a group in its own order, each with what is known of all its members together."""
    fields = listing.names.fields(query.fields)
    wanted = {(activity.type, activity.id) for activity in query.activities}
    found = admitted(reads, caller, query.groupId, listing.scores)
    activities = [activity for activity in found.activities if not wanted or activity in wanted]
    stored = reads.start(Read.GROUP_AGGREGATES, query.groupId) if fields.has(AGG) else None
    described = {key: metadata.start(reads, key) for key in activities if fields.has(METADATA)}
    rows = {row[:2]: row[2:] for row in reads.rest(stored, Read.GROUP_AGGREGATES, query.groupId)} if stored else {}
    listed = []
    for key in activities:
        activity = named(key)
        if stored:
            activity[AGG] = entries(rows.get(key), fields)
        if key in described:
            activity = flattened(fields.described(metadata.finish(key, described[key])), activity)
        listed.append(activity)
    return {"groupId": query.groupId, "activity": listed}


def activity_aggregates(
    reads: Reads, metadata: Metadata, listing: Listing, caller: Caller, query: ActivityQuery
) -> Entry:
    """One activity of a group, with its members a page at a time."""
    fields = listing.names.fields(query.fields)
    key = (query.activityType, query.activityId)
    bound_to = (query.groupId, *key, caller.user_id)
    after = listing.pages.last(query.next, *bound_to) if query.next is not None else None
    limit = min(query.limit or listing.page_size, listing.max_page_size)
    found = admitted(reads, caller, query.groupId, listing.scores)
    if key not in found.activities:
        raise Refused(ACTIVITY_NOT_FOUND)
    stored = reads.start(Read.GROUP_ACTIVITY, query.groupId, *key) if fields.has(AGG) else None
    described = metadata.start(reads, key) if fields.has(METADATA) else None
    members = members_after(reads, query.groupId, after, limit + 1) if fields.has(MEMBERS) else None
    activity = named(key)
    if described is not None:
        activity[METADATA] = fields.described(metadata.finish(key, described))
    if stored:
        activity[AGG] = entries(reads.row(stored), fields)
    if members:
        page = list(islice(members, limit + 1))
        if len(page) > limit:
            activity["next"] = listing.pages.token(page[limit - 1].user_id, *bound_to)
        rows = member_rows(reads, query.groupId, key, page[:limit])
        shown = profiles(reads, listing.profile, fields, page[:limit])
        activity[MEMBERS] = [
            _member(member, shown, entries(rows.get(member.user_id) if found.sees(member.user_id) else None, fields))
            for member in page[:limit]
        ]
    return {"groupId": query.groupId, "activity": activity}


def _member(member: Member, shown: dict[str, Entry], agg: list[Entry]) -> Entry:
    return {**shown.get(member.user_id, {}), "id": member.user_id, "role": member.role, AGG: agg}
