"""The values of declared metrics, as columns of their rows: a column per metric, null where it is absent."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.declarations import ANY_TYPE, OWN_ROWS, Metric

SIGN = "sign"  # 1 of rows that are added, -1 of rows that are taken away


def is_of(metric: Metric, kind: Column | None = None) -> Column:
    """Whether the metric stands in a row of this type of activity, which is its own unless `kind` is given."""
    kind = F.col("activity_type") if kind is None else kind
    return F.lit(True) if metric.types == ANY_TYPE else kind.isin(*metric.types)


def with_values(rows: DataFrame, metrics: Sequence[Metric], *further: str) -> DataFrame:
    """`further` columns and a double for each metric, null where it does not stand or has no value.

    The columns of sums are whole numbers of 1/scale until the end, whatever is derived from them.
    """
    for metric in metrics:
        if metric.value is not None:
            rows = rows.withColumn(metric.name, _typed(rows, metric, F.expr(metric.value)))
    by_name: dict[str, list[Column]] = {}
    for metric in metrics:
        value = F.col(metric.name) if metric.scale == 1 else F.col(metric.name) / F.lit(float(metric.scale))
        by_name.setdefault(metric.name, []).append(F.when(is_of(metric), value.cast("double")))
    return rows.select(*further, *(F.coalesce(*values).alias(name) for name, values in by_name.items()))


def _typed(rows: DataFrame, metric: Metric, value: Column) -> Column:
    """The value in rows of its types; in others what stands there already, of a metric of the same name."""
    if metric.types == ANY_TYPE:
        return value
    other = F.col(metric.name).cast("double") if metric.name in rows.columns else F.lit(None).cast("double")
    return F.when(is_of(metric), value.cast("double")).otherwise(other)


def stands(names: Sequence[str]) -> Column:
    """Whether a row has any of these metrics: another writer's entries make no row of the job's."""
    return F.expr(f"coalesce({', '.join(f'`{name}`' for name in names)}) IS NOT NULL")


def sums(
    rows: DataFrame, metrics: Sequence[Metric], key: Sequence[str], over: str = OWN_ROWS, further: Sequence[Column] = ()
) -> DataFrame:
    """(key…, `further` aggregates, a bigint for each declared sum over these rows), in whole numbers of 1/scale.

    `rows` have the learners' metrics as columns and `sign`. Whole numbers add up to the same whatever is added first.
    """
    by_name: dict[str, list[Column]] = {}
    for metric in (metric for metric in metrics if metric.adds is not None and metric.over == over):
        whole = F.round(F.expr(metric.adds or "") * F.lit(metric.scale)).cast("bigint")
        by_name.setdefault(metric.name, []).append(F.when(is_of(metric), whole))
    added = [*further, *(F.sum(F.coalesce(*each) * F.col(SIGN)).alias(name) for name, each in by_name.items())]
    return rows.groupBy(*key).agg(*added) if added else rows.select(*key).distinct()
