"""Whether the published sums are those of the published rows: asked of the tables alone, without any source."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics.activities import WAS
from metrics.declarations import COURSE_ROWS, OWN_ROWS, Metric, declared, names
from metrics.names import GROUP_CONTEXT
from metrics.predicates import is_course
from metrics.values import SIGN, is_of, stands, sums

Families = tuple[str, ...]


def differing_sums(stored: StoredRows, families: Families) -> DataFrame:
    """(table, key, metric, published, summed) of every published sum that is not the sum over the published rows."""
    learners = _rows(stored, ACTIVITY_USER_AGG, families)
    own = sums(learners, declared(ACTIVITY_AGG.name, families), ACTIVITY_AGG.key, OWN_ROWS)
    of_activities = _compared(
        ACTIVITY_AGG, _with_course_sums(stored, learners, own, families), stored, families, [OWN_ROWS, COURSE_ROWS]
    )
    members = _rows(stored, GROUP_ACTIVITY_USER_AGG, families)
    of_groups = _compared(
        GROUP_ACTIVITY_AGG,
        sums(members, declared(GROUP_ACTIVITY_AGG.name, families), GROUP_ACTIVITY_AGG.key, OWN_ROWS),
        stored, families, [OWN_ROWS],
    )  # fmt: skip
    return of_activities.unionByName(of_groups)


def _rows(stored: StoredRows, table: TargetTable, families: Families) -> DataFrame:
    """The published rows of learners, a column for each metric."""
    own = names(table.name, families)
    values = [F.col(WAS + name).alias(name) for name in own]
    return stored.rows(table, own).select(*table.key, *values, F.lit(1).alias(SIGN)).filter(stands(own))


def _with_course_sums(stored: StoredRows, learners: DataFrame, own: DataFrame, families: Families) -> DataFrame:
    """The sums of every activity that has an owner, those over the Course rows of the owner among them."""
    metrics = declared(ACTIVITY_AGG.name, families)
    of_courses = sums(learners.filter(is_course()), metrics, ("activity_id", "context_id"), COURSE_ROWS)
    owned = stored.plain(ACTIVITY_CATALOG).join(
        of_courses.withColumnRenamed("activity_id", "course_id"), ["course_id", "context_id"], how="left"
    )
    return owned.join(own, list(ACTIVITY_AGG.key), how="full").drop("course_id")


def _compared(
    table: TargetTable, summed: DataFrame, stored: StoredRows, families: Families, over: Sequence[str]
) -> DataFrame:
    metrics = {m.name: m for m in declared(table.name, families) if m.is_sum and m.over in over}
    own = names(table.name, families)
    published = stored.rows(table, own).filter(stands([WAS + name for name in own]))
    both = summed.join(published, list(table.key), how="full")
    entries = F.array(*(_entry(metric, table, families) for metric in metrics.values()))
    exploded = both.withColumn("is_published", stands([WAS + name for name in own])).select(
        F.concat_ws(" ", *table.key).alias("key"), F.explode(entries).alias("entry")
    )
    differing = exploded.filter("entry.is_of AND NOT (entry.published <=> entry.summed)")
    return differing.select(F.lit(table.name).alias("table"), "key", "entry.metric", "entry.published", "entry.summed")


def _entry(metric: Metric, table: TargetTable, families: Families) -> Column:
    """A metric as published and as summed; one that does not stand in a row, or whose row has none, is nothing."""
    of_name = [each for each in declared(table.name, families) if each.name == metric.name and each.is_sum]
    holds = is_of(of_name[0])
    for other in of_name[1:]:
        holds = holds | is_of(other)
    value = F.coalesce(metric.name, F.lit(0)).cast("double") / F.lit(float(metric.scale))
    summed = F.when(F.col("is_published") | (value != 0), value)
    if "context_id" in table.key and metric.over == COURSE_ROWS:
        holds = holds & ~F.col("context_id").startswith(GROUP_CONTEXT)
    return F.struct(
        F.lit(metric.name).alias("metric"), F.col(WAS + metric.name).alias("published"), summed.alias("summed"),
        holds.alias("is_of"),
    )  # fmt: skip
