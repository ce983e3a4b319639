"""Stored rows as the parts of an answer; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from activity_aggregates.api.answering.fields import AGG, Fields
from activity_aggregates.api.stored.maps import Reader

EXACT = 2.0**53  # beyond it a double holds no exact integer

Entry = dict[str, Any]
ActivityKey = tuple[str, str]  # type, id
# The columns agg and agg_last_updated of a row, as bytes; a map without entries is null.
Maps = tuple[bytes | None, bytes | None]

VALUES: Reader[float] = Reader("d")
DATES: Reader[int] = Reader("q")


def entries(maps: Maps | None, fields: Fields) -> list[Entry]:
    """Every metric with a value, also another writer's: what JSON cannot say (an infinity) is left out.

    Whole numbers have no decimal point, and dates are milliseconds since the epoch.
    """
    agg, dates = maps or (None, None)
    if not agg:
        return []
    # Once per metric of every member: what is called for each would take most of the time of an answer.
    dated, picks = dict(DATES.entries(dates)) if dates else {}, fields.picks_metrics
    return [
        {
            "metric": metric,
            "value": int(value) if value.is_integer() and abs(value) < EXACT else value,
            "lastUpdatedOn": dated.get(metric),
        }
        for metric, value in VALUES.entries(agg)
        if isfinite(value) and (not picks or fields.has_metric(metric))
    ]


def named(key: ActivityKey) -> Entry:
    kind, identifier = key
    return {"id": identifier, "type": kind}


def flattened(metadata: Mapping[str, str | int], activity: Entry) -> Entry:
    """An activity with its metadata beside its own keys, which win.

    >>> flattened({"name": "Algebra", "id": "other", "agg": ""}, {"id": "c1", "type": "Course"})
    {'name': 'Algebra', 'id': 'c1', 'type': 'Course'}
    """
    own = {"id", "type", AGG}
    return {key: value for key, value in metadata.items() if key not in own} | activity
