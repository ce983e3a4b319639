"""What activities are called: kept for a while, since it seldom changes and a group has many activities to name."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping

from cassandra.cluster import ResponseFuture

from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from metrics.names import COURSE

MOST_KEPT = 10_000  # activities
MOST_DIGITS = 15  # of a number that every client holds exactly

Description = Mapping[str, str | int]


class Metadata:
    """The metadata of activities by (type, id), read again after some seconds; with 0 it is read every time.

    All of it is stored as text; the entries that are named in `numbers` are answered as numbers. Activities that
    a group lists under one of the words for a course, in lower case, have that of the course.
    """

    def __init__(self, seconds: float, numbers: frozenset[str] = frozenset(), courses: Container[str] = ()) -> None:
        self._seconds = seconds
        self._numbers = numbers
        self._courses = courses
        self._kept: dict[tuple[str, str], tuple[float, Description]] = {}

    def start(self, reads: Reads, key: tuple[str, str]) -> ResponseFuture | Description:
        """Sends the read, unless what is known is new enough."""
        key = self._meant(key)
        read_at, description = self._kept.get(key, (float("-inf"), {}))
        return description if time.monotonic() - read_at < self._seconds else reads.start(Read.METADATA, *key)

    def finish(self, key: tuple[str, str], started: ResponseFuture | Description) -> Description:
        """What `start` has begun to find out; an activity without metadata has none."""
        if not isinstance(started, ResponseFuture):
            return started
        row = Reads.row(started)
        description = described(row[0], self._numbers) if row and row[0] else {}
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[self._meant(key)] = (time.monotonic(), description)
        return description

    def _meant(self, key: tuple[str, str]) -> tuple[str, str]:
        return (COURSE, key[1]) if key[0].lower() in self._courses else key


def described(stored: Mapping[str, str], numbers: frozenset[str]) -> Description:
    """Entries as they are answered: a name of digits is a text, and a number that another writer spoilt is one too.

    >>> described({"name": "42", "leafNodesCount": "12"}, frozenset({"leafNodesCount"}))
    {'name': '42', 'leafNodesCount': 12}
    >>> described({"leafNodesCount": "twelve"}, frozenset({"leafNodesCount"}))
    {'leafNodesCount': 'twelve'}
    """
    return {entry: int(text) if entry in numbers and is_count(text) else text for entry, text in stored.items()}


def is_count(text: str) -> bool:
    """Whether a text is a whole number as a run writes it.

    >>> [is_count(text) for text in ("0", "12", "", "-1", "1.5", "1e3", "٣", "9" * 16)]
    [True, True, False, False, False, False, False, False]
    """
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
