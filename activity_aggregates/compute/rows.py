"""How many rows a run will meet, as far as it is known before any is read: its shuffles are made to fit."""

from __future__ import annotations

from cassandra import InvalidRequest
from cassandra.metadata import protect_name

from activity_aggregates import settings
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.sources.deployed import cql_place, deployed_name, is_in_targets_cluster
from activity_aggregates.sources.tables import PROGRESS
from activity_aggregates.store.connection import read
from activity_aggregates.store.targets import ACTIVITY_USER_AGG

_COUNTED_AT_MOST = 20_000  # which the store answers in a tenth of a second
_FETCH_SIZE = 5_000


def known_rows(execution: Execution, asked: Asked) -> int | None:
    """Rows of progress and of learners: by the last full run, else by counting a few; None where they are many.

    That there were few is asked again where it is quickly told: the last full run may have come before the data.
    """
    source, known = execution.settings.sources.progress, None
    if asked.last_full is not None:
        known = asked.last_full.counts.get("read.progress", 0) + asked.sizes.get(ACTIVITY_USER_AGG.name, 0)
        if known > _COUNTED_AT_MOST:
            return known
    if not is_in_targets_cluster(source):
        return known  # somebody else would know it
    found = _few(execution, source)
    return None if found is None else max(found, known or 0)


def _few(execution: Execution, source: settings.Source) -> int | None:
    """The rows of a source in the target's own cluster; None where there are many."""
    column = protect_name(deployed_name(PROGRESS, source, "status"))
    query = f"SELECT {column} FROM {cql_place(source)} LIMIT {_COUNTED_AT_MOST + 1}"
    try:
        rows = len(read(execution.session, query, fetch_size=_FETCH_SIZE))
    except InvalidRequest:
        return None  # what is missing is said where the sources are opened
    return rows if rows <= _COUNTED_AT_MOST else None
