"""Maps of metrics."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def metric_map(metrics: dict[str, Column]) -> Column:
    """A map<string,double> of the metrics, without those that are null."""
    entries = [part for name, value in metrics.items() for part in (F.lit(name), value.cast("double"))]
    return F.map_filter(F.create_map(*entries), lambda _, value: value.isNotNull())
