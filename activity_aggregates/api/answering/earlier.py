"""POST /v1/group/activity/agg: the answer in the shape of the earlier service, which clients in the field parse."""

from __future__ import annotations

from activity_aggregates.api.bodies import EarlierActivityQuery
from activity_aggregates.api.answering.groups import (
    ACTIVE,
    Admission,
    Listing,
    active,
    member_rows,
    named,
    profiles,
    started_members,
)
from activity_aggregates.api.edge.refusals import ACTIVITY_NOT_FOUND, Refused
from activity_aggregates.api.answering.shapes import AGG, EVERYTHING, Entry, entries
from activity_aggregates.api.stored.store import Reads
from activity_aggregates.api.identity.tokens import Caller


def earlier_activity_aggregates(reads: Reads, listing: Listing, caller: Caller, query: EarlierActivityQuery) -> Entry:
    """All members with a row, unpaged, for those clients know no pages; each counts as enrolled."""
    key = (query.activityType, query.activityId)
    admission = Admission(reads, caller, query.groupId)
    started = started_members(reads, query.groupId, None, listing.max_page_size)
    if key not in admission.activities():
        raise Refused(ACTIVITY_NOT_FOUND)
    group = list(active(started, reads.erased))
    rows = member_rows(reads, query.groupId, key, group)
    counted = [member for member in group if member.user_id in rows]
    shown = profiles(reads, listing.profile, counted)
    members = [
        {
            **shown.get(member.user_id, {}),
            "userId": member.user_id,
            "role": member.role,
            "status": ACTIVE,
            AGG: entries(rows[member.user_id], EVERYTHING),
        }
        for member in counted
    ]
    enrolled = {"metric": "enrolmentCount", "value": len(members), "lastUpdatedOn": newest(members)}
    return {"groupId": query.groupId, "activity": {**named(key), AGG: [enrolled]}, "members": members}


def newest(members: list[Entry]) -> int | None:
    """The time of the newest metric of any member."""
    dates = [entry["lastUpdatedOn"] for member in members for entry in member[AGG]]
    return max((date for date in dates if date is not None), default=None)
