"""Maps of metrics."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def metric_map(metrics: dict[str, Column]) -> Column:
    """A map<string,double> of the metrics, without those that are null."""
    entries = [part for name, value in metrics.items() for part in (F.lit(name), value.cast("double"))]
    return F.map_filter(F.create_map(*entries), lambda _, value: value.isNotNull())


def metric_name(column: str) -> str:
    """The metric that a column of counts is published as.

    >>> metric_name("completed_leaf_nodes_count"), metric_name("reached_25_count")
    ('completedLeafNodesCount', 'reached25Count')
    """
    first, *rest = column.split("_")
    return first + "".join(part.capitalize() for part in rest)


def published(column: str) -> Column:
    """What the map `agg` says of a column; null where it says nothing."""
    return F.try_element_at("agg", F.lit(metric_name(column)))
