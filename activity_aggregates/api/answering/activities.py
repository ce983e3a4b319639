"""What the two routes of single activities answer, which know no groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from activity_aggregates.api.answering.admission import demand_service, demand_service_or_learner
from activity_aggregates.api.answering.fields import AGG, DAYS, METADATA, Fields
from activity_aggregates.api.answering.members import Listing
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.shapes import Entry, entries, named
from activity_aggregates.api.bodies import ContextQuery, LearnerQuery
from activity_aggregates.api.edge.refusals import NO_SUCH_ACTIVITY, Refused, invalid
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import MOST_DAYS, Read

FIRST_DAY, LAST_DAY = date.min, date.max


def context_aggregates(
    reads: Reads, metadata: Metadata, listing: Listing, caller: Caller, query: ContextQuery
) -> Entry:
    """One activity in one context, with its days."""
    fields = listing.names.fields(query.fields)
    between = days_between(query.first, query.last)
    demand_service(caller)
    key = (query.activityType, query.activityId)
    stored = reads.start(Read.ACTIVITY, *key, query.contextId)
    described = metadata.start(reads, key) if fields.has(METADATA) else None
    days = list(stored_days(reads, query, between, fields)) if fields.has(DAYS) else None
    row = reads.row(stored)
    if row is None and not days:
        raise Refused(NO_SUCH_ACTIVITY)
    activity = {**named(key), "contextId": query.contextId}
    if described is not None:
        activity[METADATA] = fields.described(metadata.finish(key, described))
    if fields.has(AGG):
        activity[AGG] = entries(row, fields)
    if days is not None:
        activity[DAYS] = days
    return {"activity": activity}


def learner_aggregates(
    reads: Reads, metadata: Metadata, listing: Listing, caller: Caller, query: LearnerQuery
) -> Entry:
    """One learner's rows of one activity, by context; none of who was erased."""
    fields = listing.names.fields(query.fields)
    demand_service_or_learner(caller, query.userId)
    key = (query.activityType, query.activityId)
    described = metadata.start(reads, key) if fields.has(METADATA) else None
    activity: Entry = named(key)
    if described is not None:
        activity[METADATA] = fields.described(metadata.finish(key, described))
    if fields.has(AGG):
        rows = [] if reads.erased.has(query.userId) else learner_rows(reads, query)
        activity["contexts"] = [{"contextId": row[0], AGG: entries(row[1:], fields)} for row in rows]
    return {"userId": query.userId, "activity": activity}


def learner_rows(reads: Reads, query: LearnerQuery) -> Iterator[Any]:
    key = (query.activityType, query.activityId, query.userId)
    if query.contextId is None:
        return reads.all_rows(Read.LEARNER, *key)
    return reads.all_rows(Read.LEARNER_CONTEXT, *key, query.contextId)


def days_between(first: date | None, last: date | None) -> tuple[date, date]:
    """The days that are meant, at most MOST_DAYS; where one end is open, so many from the other.

    >>> days_between(date(2026, 1, 31), None)
    (datetime.date(2026, 1, 31), datetime.date(2027, 3, 6))
    >>> days_between(date(2026, 2, 1), date(2026, 1, 31))
    Traceback (most recent call last):
    activity_aggregates.api.edge.refusals.Refused: request.from: 2026-02-01 is after request.to, 2026-01-31.
    """
    longest = timedelta(days=MOST_DAYS - 1)
    if first is None:
        return (max(FIRST_DAY + longest, last) - longest if last else FIRST_DAY), last or LAST_DAY
    if last is None:
        return first, min(LAST_DAY - longest, first) + longest
    if first > last:
        raise Refused(invalid(f"request.from: {first} is after request.to, {last}."))
    if last - first > longest:
        raise Refused(invalid(f"request.to: {last} is more than {MOST_DAYS} days from request.from, {first}."))
    return first, last


def stored_days(reads: Reads, query: ContextQuery, between: tuple[date, date], fields: Fields) -> Iterator[Entry]:
    """The days that have a row, oldest first."""
    rows = list(reads.all_rows(Read.DAYS, query.activityType, query.activityId, query.contextId, *between))
    for day, *maps in reversed(rows):
        yield {"day": str(day), AGG: entries((maps[0], maps[1]), fields)}
