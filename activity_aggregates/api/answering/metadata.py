"""What activities are called: kept for a while, since it seldom changes and a group has many activities to name."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cassandra.cluster import ResponseFuture

from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read

MOST_KEPT = 10_000  # activities

Description = Mapping[str, str]


class Metadata:
    """The metadata of activities by (type, id), read again after some seconds; with 0 it is read every time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[tuple[str, str], tuple[float, Description]] = {}

    def start(self, reads: Reads, key: tuple[str, str]) -> ResponseFuture | Description:
        """Sends the read, unless what is known is new enough."""
        read_at, description = self._kept.get(key, (float("-inf"), {}))
        return description if time.monotonic() - read_at < self._seconds else reads.start(Read.METADATA, *key)

    def finish(self, key: tuple[str, str], started: ResponseFuture | Description) -> Description:
        """What `start` has begun to find out; an activity without metadata has none."""
        if not isinstance(started, ResponseFuture):
            return started
        row = Reads.row(started)
        description = dict(row[0].items()) if row and row[0] else {}
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), description)
        return description
