"""Staged changes added up: by table and metric, and by course. What a dry run shows before it shows single rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.changes.findings import CHANGES
from activity_aggregates.changes.staged import ONE
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_METADATA, TARGET_TABLES
from metrics.declarations import METRICS
from metrics.names import COURSE, SCORE_PREFIXES

_NO_SUM = ("epoch ms", "percent")  # units of values that nobody adds up
_OF_LEARNERS = {table.name for table in TARGET_TABLES if table.is_of_learners}
_ADDED_UP = {
    (table, metric.name)
    for metric in METRICS
    for table in metric.tables
    if metric.unit not in _NO_SUM and (metric.is_sum or table in _OF_LEARNERS)
}
_DIGITS = 6  # more are those of the doubles, not of the sums
_NAME = "name"  # the entry of activity_metadata
Activity = tuple[str, str]  # type and id


@dataclass(frozen=True)
class MetricChange:
    """A metric in the rows of a table in which it would change: how many, and what they add up to.

    No sums of dates, percentages and texts, nor of what is itself derived from sums.
    """

    table: str
    metric: str
    rows: int
    before: float | None
    after: float | None

    @property
    def difference(self) -> float:
        """Of the sums; 0 where there are none."""
        return round((self.after or 0.0) - (self.before or 0.0), _DIGITS)


@dataclass(frozen=True)
class CourseChange:
    """A course in which `rows` rows of all tables would change, and its sums in activity_agg."""

    course_id: str
    rows: int
    metrics: tuple[MetricChange, ...]


def by_metric(found: DataFrame) -> list[MetricChange]:
    """By table, in the order of the tables, the metrics whose sums would move furthest first."""
    order = [table.name for table in TARGET_TABLES]
    changes = (_change(*row) for row in _summed(found, "table", "metric").collect())
    return sorted(changes, key=lambda each: (order.index(each.table), *_furthest_first(each)))


def by_course(found: DataFrame, most: int) -> tuple[list[CourseChange], int]:
    """The courses with most rows that would change, and how many courses there are; `found` as of `findings`."""
    of_courses = found.filter((F.col("activity_type") == COURSE) & (F.col("table") != ACTIVITY_METADATA.name))
    counted = of_courses.groupBy("activity_id").count().orderBy(F.desc("count"), "activity_id")
    listed = counted.limit(most + 1).collect()
    total = len(listed) if len(listed) <= most else counted.count()
    rows = {row["activity_id"]: row["count"] for row in listed[:most]}
    sums: dict[str, list[MetricChange]] = {course: [] for course in rows}
    of_listed = of_courses.filter((F.col("table") == ACTIVITY_AGG.name) & F.col("activity_id").isin(*rows))
    for course, *change in _summed(of_listed, "activity_id", "table", "metric").collect() if rows else ():
        sums[course].append(_change(*change))
    return [
        CourseChange(course, rows[course], tuple(sorted(sums[course], key=_furthest_first))) for course in rows
    ], total


def new_names(found: DataFrame, activities: Collection[Activity]) -> dict[Activity, str]:
    """What these activities would be called, as far as that is among the changes."""
    ids = sorted({activity_id for _, activity_id in activities})
    rows = found.filter((F.col("table") == ACTIVITY_METADATA.name) & F.col("activity_id").isin(*ids))
    named = rows.select("activity_type", "activity_id", F.explode(CHANGES).alias("entry")).filter(
        (F.col("entry.metric") == _NAME) & F.col("entry.text_after").isNotNull()
    )
    found_names = {
        (row[0], row[1]): row[2] for row in named.select("activity_type", "activity_id", "entry.text_after").collect()
    }
    return {activity: found_names[activity] for activity in activities if activity in found_names}


def _summed(found: DataFrame, *by: str) -> DataFrame:
    """(by…, rows, before, after) of all entries; those of one metric for many quizzes are one."""
    each = F.monotonically_increasing_id().alias("row")
    entries = found.select("table", "activity_id", each, F.explode(CHANGES).alias("entry"))
    metric = F.regexp_replace("entry.metric", ":.*$", ":ID").alias("metric")
    before, after = (F.sum(F.coalesce(f"entry.{state}", F.lit(0.0))).alias(state) for state in ("before", "after"))
    entries = entries.select("*", metric)
    return entries.groupBy(*by).agg(F.count_distinct("row").alias("rows"), before, after)


def _change(table: str, metric: str, rows: int, before: float, after: float) -> MetricChange:
    is_summed = (table, metric) in _ADDED_UP or metric.startswith(SCORE_PREFIXES)
    sums = (round(before, _DIGITS), round(after, _DIGITS)) if is_summed else (None, None)
    return MetricChange(table, metric, rows, *sums)


def _furthest_first(change: MetricChange) -> tuple[float, int, str]:
    return -abs(change.difference) / ONE.get(change.metric, 1), -change.rows, change.metric
