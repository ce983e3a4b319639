"""POST /v1/group/activity/agg: the answer in the shape of the earlier service, which clients in the field parse."""

from __future__ import annotations

from collections.abc import Sequence

from activity_aggregates.api.answering.admission import Admitted, admitted
from activity_aggregates.api.answering.best import Stored, best
from activity_aggregates.api.answering.fields import AGG, EVERYTHING
from activity_aggregates.api.answering.members import Listing, Member, member_rows, members_after, profiles
from activity_aggregates.api.answering.shapes import Entry, Maps, entries, named
from activity_aggregates.api.answering.unlisted import has_own_entries, unlisted_rows
from activity_aggregates.api.bodies import EarlierActivityQuery
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.reads import Reads
from metrics.names import ACTIVE

NAME = "name"  # those clients sort by it, and fail where it is not a text


def earlier_activity_aggregates(reads: Reads, listing: Listing, caller: Caller, query: EarlierActivityQuery) -> Entry:
    """All members with a row, unpaged, for those clients know no pages; each counts as enrolled.

    What the activity is called by type is not looked at: they send Course for whatever there is.
    """
    found = admitted(reads, caller, query.groupId, listing.scores)
    group = list(members_after(reads, query.groupId, None, listing.max_page_size))
    rows = rows_of(reads, found, query, group)
    counted = [member for member in group if member.user_id in rows]
    agg = {member.user_id: entries(rows[member.user_id], EVERYTHING) for member in counted}
    shown = [member for member in counted if found.sees(member.user_id)]
    profile = profiles(reads, listing.profile, EVERYTHING, shown)
    enrolled = {"metric": "enrolmentCount", "value": len(counted), "lastUpdatedOn": newest(list(agg.values()))}
    return {
        "groupId": query.groupId,
        "activity": {**named((query.activityType, query.activityId)), AGG: [enrolled]},
        "members": [_member(member, profile.get(member.user_id, {}), agg[member.user_id]) for member in shown],
    }


def rows_of(reads: Reads, found: Admitted, query: EarlierActivityQuery, group: Sequence[Member]) -> dict[str, Maps]:
    """The members' rows: the group's own where it lists the activity, as whatever, else their rows of the course."""
    listed = [key for key in found.activities if key[1] == query.activityId]
    if not listed:
        return unlisted_rows(reads, found, query.activityId, group)
    by_user: dict[str, list[Stored]] = {}
    for key in listed:
        for user_id, maps in member_rows(reads, query.groupId, key, group).items():
            if has_own_entries(maps):
                by_user.setdefault(user_id, []).append(Stored(key[0], "", maps))
    return {user_id: best(rows).maps for user_id, rows in by_user.items()}


def newest(members: Sequence[Sequence[Entry]]) -> int | None:
    """The time of the newest metric of any member."""
    dates = [entry["lastUpdatedOn"] for agg in members for entry in agg]
    return max((date for date in dates if date is not None), default=None)


def _member(member: Member, profile: Entry, agg: list[Entry]) -> Entry:
    name = profile.get(NAME)
    return {
        **profile,
        NAME: name if isinstance(name, str) else "" if name is None else str(name),
        "userId": member.user_id,
        "role": member.role,
        "status": ACTIVE,
        "createdBy": member.created_by,
        AGG: agg,
    }
