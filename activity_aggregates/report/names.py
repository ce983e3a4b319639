"""What activities are called, by activity_metadata."""

from __future__ import annotations

from collections.abc import Iterable

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.store.connection import prepared_reading
from metrics.names import QUIZ, SCORE_PREFIXES

Activity = tuple[str, str]  # type and id


def names_of(session: Session, target: settings.Target, activities: Iterable[Activity]) -> dict[Activity, str]:
    """The name of each, read by key, or its id: of the few that a page shows."""
    table = f"{target.keyspace}.{target.tables['activity_metadata']}"
    named = prepared_reading(session, f"SELECT metadata FROM {table} WHERE activity_type = ? AND activity_id = ?")
    found = {activity: session.execute(named, activity).one() for activity in dict.fromkeys(activities)}
    return {activity: _name(row.metadata) or activity[1] if row else activity[1] for activity, row in found.items()}


def quiz_of(entry: str) -> Activity | None:
    """The quiz that an entry of a Course row is about.

    >>> quiz_of("max_score:do_1"), quiz_of("completed")
    (('Quiz', 'do_1'), None)
    """
    return (QUIZ, entry.partition(":")[2]) if entry.startswith(SCORE_PREFIXES) else None


def _name(metadata: dict[str, str] | None) -> str | None:
    return (metadata or {}).get("name")
