"""Which entries of a map are the job's own: all others belong to another writer and are never touched."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column

from metrics.activities import activity_metrics
from metrics.groups import group_metrics
from metrics.learners import collection_metrics, quiz_metrics
from metrics.names import SCORE_PREFIXES

IsOwn = Callable[[Column], Column]


def own_names(table: str) -> frozenset[str]:
    """The metric names of an aggregate table, from the very definitions that compute them."""
    of_learners = collection_metrics() | quiz_metrics()
    return {
        "activity_user_agg": frozenset(of_learners),
        "activity_agg": frozenset(activity_metrics()),
        "group_activity_user_agg": frozenset(of_learners),
        "group_activity_agg": frozenset(group_metrics()),
    }[table]


def is_own(table: str, scores_in_course: bool) -> IsOwn:
    """A predicate on the names of a map's entries; the prefixed scores are own only while they are kept."""
    names = own_names(table)
    has_scores = scores_in_course and table.endswith("_user_agg")

    def holds(name: Column) -> Column:
        is_named = name.isin(*sorted(names))
        if not has_scores:
            return is_named
        return is_named | name.rlike("^(" + "|".join(SCORE_PREFIXES) + ")")

    return holds
