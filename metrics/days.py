"""The rows of activity_day_agg: how many learners of a course enrolled, completed and were last active on each day.

As with activities: in a context of which all learners are at hand a day's counts are plain sums, in another they move
by what the learners at hand contributed before, as stored, and contribute now, as computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.activities import ACTIVITY_KEY, moved_from
from metrics.catalog import IS_WHOLE
from metrics.declarations import Metric
from metrics.names import COURSE, WAS
from metrics.predicates import is_course
from metrics.values import SIGN

DAY_KEY = (*ACTIVITY_KEY, "day")
_FIRST_MS, _LAST_MS = -62_135_683_200_000, 253_402_387_200_000  # the years 1 to 9999 in UTC, and a day on either side
_FIRST_DAY, _LAST_DAY = "date'0001-01-01'", "date'9999-12-31'"


def day_of(milliseconds: Column, time_zone: str) -> Column:
    """The day of a time zone on which a moment falls; null outside of the years 1 to 9999."""
    is_near = milliseconds.between(_FIRST_MS, _LAST_MS)
    moment = F.timestamp_millis(F.when(is_near, milliseconds).cast("bigint"))
    day = F.to_date(F.from_utc_timestamp(moment, time_zone))
    return F.when(day.between(F.expr(_FIRST_DAY), F.expr(_LAST_DAY)), day)


def day_counts(learners: DataFrame, metrics: Sequence[Metric], time_zone: str) -> DataFrame:
    """(`DAY_KEY`, a bigint for each metric) over Course rows of learners with `sign`; 0 where they cancel out."""
    dated = [
        F.struct(F.lit(metric.name).alias("metric"), day_of(F.col(str(metric.day_of)), time_zone).alias("day"))
        for metric in metrics
    ]
    rows = learners.filter(is_course()).select(*ACTIVITY_KEY, SIGN, F.explode(F.array(*dated)).alias("dated"))
    fell = rows.select(*ACTIVITY_KEY, SIGN, "dated.metric", "dated.day").filter(F.col("day").isNotNull())
    counts = [_sum_of(metric.name).alias(metric.name) for metric in metrics]
    return fell.groupBy(*DAY_KEY).agg(*counts)


def _sum_of(name: str) -> Column:
    return F.sum(F.when(F.col("metric") == name, F.col(SIGN)).otherwise(0))


def day_rows(
    owners: DataFrame,
    learners: DataFrame,
    published: tuple[DataFrame, DataFrame] | None,
    metrics: Sequence[Metric],
    time_zone: str,
) -> DataFrame:
    """`DAY_KEY`, is_impossible and a double for each metric, absent where it is 0, of every day that is touched.

    Arguments are as those of `activities.activity_rows`; `published` are the stored rows of days and of activities of
    these contexts, None where every context is whole.
    """
    courses = owners.filter(is_course() & F.col("course_id").isNotNull())
    counts = day_counts(learners, metrics, time_zone)
    if published is None:
        counts = counts.join(courses, list(ACTIVITY_KEY), how="left_semi")
        return _with_absent(counts.withColumn("is_impossible", F.lit(False)), metrics)
    counts = counts.join(courses.select(*ACTIVITY_KEY, IS_WHOLE), list(ACTIVITY_KEY), how="inner")
    days, activities = published
    stored = days.select(*DAY_KEY, *(WAS + metric.name for metric in metrics))
    moved = {metric.name: F.col(metric.name) + moved_from(metric) for metric in metrics}
    totals = counts.join(stored, list(DAY_KEY), how="left").withColumns(moved)
    bounded = totals.join(_enrolled(activities, learners), list(ACTIVITY_KEY), how="left")
    are_wrong = [(F.col(metric.name) < 0) | (F.col(metric.name) > F.col("enrolled")) for metric in metrics]
    is_impossible = ~F.col(IS_WHOLE) & F.coalesce(reduce(or_, are_wrong), F.lit(False))
    return _with_absent(bounded.withColumn("is_impossible", is_impossible), metrics)


def _enrolled(activities: DataFrame, learners: DataFrame) -> DataFrame:
    """(`ACTIVITY_KEY`, enrolled): of each course in contexts that are not whole, how many are enrolled."""
    moved = learners.filter(is_course()).groupBy(*ACTIVITY_KEY).agg(F.sum(SIGN).alias("moved"))
    stood = activities.filter(F.col("activity_type") == COURSE).select(*ACTIVITY_KEY, f"{WAS}enrolledCount")
    enrolled = F.coalesce(f"{WAS}enrolledCount", F.lit(0.0)) + F.col("moved")
    return moved.join(stood, list(ACTIVITY_KEY), how="left").select(*ACTIVITY_KEY, enrolled.alias("enrolled"))


def _with_absent(totals: DataFrame, metrics: Sequence[Metric]) -> DataFrame:
    counts = (F.when(F.col(metric.name) != 0, F.col(metric.name).cast("double")) for metric in metrics)
    named = (count.alias(metric.name) for count, metric in zip(counts, metrics, strict=True))
    return totals.select(*DAY_KEY, "is_impossible", *named)
