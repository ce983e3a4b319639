"""Instants: how they are written, and which one a run takes as its snapshot time. All are UTC, in milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from activity_aggregates.errors import BadRequest, Unreachable

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ONE_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str, now: datetime) -> datetime:
    """An instant as a person writes it: ISO-8601 with an offset, or a day, which is its midnight in UTC.

    Raises BadRequest for a date-time without an offset, whose meaning is anybody's guess, and for the future.

    >>> parse_instant("2026-01-02T01:00:00+01:00", datetime(2026, 2, 1, tzinfo=UTC)).isoformat()
    '2026-01-02T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
        if _DAY.fullmatch(text):
            instant = instant.replace(tzinfo=UTC)
        instant = instant if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{text!r} is not an instant: write 2026-01-31T06:00:00Z or 2026-01-31") from error
    if instant.tzinfo is None:
        raise BadRequest(f"{text!r} has no offset from UTC: write {instant.isoformat()}Z if it is in UTC")
    if instant > now:
        raise BadRequest(f"{text!r} lies in the future: give an instant up to now, {now.isoformat(timespec='seconds')}")
    return in_milliseconds(instant)


def in_milliseconds(instant: datetime) -> datetime:
    """The instant in the milliseconds that Cassandra keeps."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def epoch_milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _ONE_MS


def store_clock(session: Session) -> datetime:
    """The clock of the node that answers."""
    query = "SELECT toUnixTimestamp(now()) AS ms FROM system.local"
    row = session.execute(SimpleStatement(query, is_idempotent=True)).one()
    return _EPOCH + timedelta(milliseconds=row.ms)


def choose_as_of(
    given: datetime | None, now: datetime, last: datetime | None, store: datetime, skew: float
) -> datetime:
    """The snapshot time: as given, else the clock's, at least 1 ms after the last run's.

    Raises Unreachable for one that is ahead of the store's clock by more than `skew` seconds: it would shadow what
    later runs write.
    """
    as_of = given or in_milliseconds(now)
    if given is None and last is not None and as_of <= last:
        as_of = last + _ONE_MS
    ahead = (as_of - store).total_seconds()
    if ahead > skew:
        raise Unreachable(
            f"as_of {as_of.isoformat()} is {ahead:.0f} s ahead of Cassandra's clock {store.isoformat()}, more than "
            f"limits.clock_skew {skew:g}: set the clocks of both machines, or wait until Cassandra's has passed it"
        )
    return as_of
