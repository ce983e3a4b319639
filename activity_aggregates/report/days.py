"""The last days of the largest contexts, from activity_day_agg, whose partitions are read from their newest day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from activity_aggregates import settings
from activity_aggregates.store.connection import prepared_reading
from metrics.names import COURSE

MOST_DAYS = 60
_IN_FLIGHT = 20  # requests
_DAY = timedelta(days=1)
_COUNTS = ("enrolledCount", "completedCount", "lastActiveCount")


@dataclass(frozen=True)
class Day:
    """Learners of some contexts who enrolled, completed and were last active on a day."""

    day: date
    enrolled: int
    completed: int
    last_active: int


def read_days(
    session: Session, target: settings.Target, contexts: Sequence[tuple[str, str]], until: date
) -> tuple[Day, ...]:
    """The sums of the contexts, ids of course and context; nothing after `until`, as dates in sources may be wrong."""
    table = f"{target.keyspace}.{target.tables['activity_day_agg']}"
    newest = prepared_reading(
        session,
        f"SELECT day, {target.columns.agg} FROM {table} WHERE activity_type = '{COURSE}' AND activity_id = ? "
        f"AND context_id = ? AND day <= ? ORDER BY day DESC LIMIT {MOST_DAYS}",
    )
    found = execute_concurrent_with_args(
        session, newest, [(*context, until) for context in contexts], concurrency=_IN_FLIGHT
    )
    return last_days((day.date(), agg or {}) for _, rows in found for day, agg in rows)


def last_days(rows: Iterable[tuple[date, Mapping[str, float]]]) -> tuple[Day, ...]:
    """All days up to the newest, oldest first, MOST_DAYS at most; one that has no row has nobody.

    >>> for day in last_days([(date(2026, 1, 3), {"enrolledCount": 2.0}), (date(2026, 1, 1), {"completedCount": 1.0}),
    ...                       (date(2026, 1, 3), {"enrolledCount": 1.0})]):
    ...     print(day.day, day.enrolled, day.completed, day.last_active)
    2026-01-01 0 1 0
    2026-01-02 0 0 0
    2026-01-03 3 0 0
    """
    sums: dict[date, list[int]] = {}
    for day, agg in rows:
        so_far = sums.get(day, [0] * len(_COUNTS))
        sums[day] = [count + int(agg.get(name, 0)) for count, name in zip(so_far, _COUNTS, strict=True)]
    if not sums:
        return ()
    newest = max(sums)
    first = max(min(sums), newest - (MOST_DAYS - 1) * _DAY)
    days = (first + number * _DAY for number in range((newest - first).days + 1))
    return tuple(Day(day, *sums.get(day, [0] * len(_COUNTS))) for day in days)
