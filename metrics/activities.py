"""The rows of activity_agg: one activity in one context, over all of its learners.

A published sum is the sum over published rows. In a context of which all learners are at hand it is their plain sum; in
another it moves by what the learners at hand contributed before, as stored, and contribute now, as computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT, IS_WHOLE
from metrics.declarations import COURSE_ROWS, OWN_ROWS, Metric
from metrics.learners import LEARNER_KEY
from metrics.names import COURSE, WAS
from metrics.predicates import is_course
from metrics.values import SIGN, is_of, stands, sums, with_values

ACTIVITY_KEY = ("activity_type", "activity_id", "context_id")


def activity_rows(
    owners: DataFrame,
    learners: DataFrame,
    published: DataFrame | None,
    metrics: Sequence[Metric],
    members: DataFrame | None = None,
) -> DataFrame:
    """`ACTIVITY_KEY`, is_impossible and a double for each metric, for every activity that a course has.

    `owners` is `catalog.owners` of the contexts at hand, with `IS_WHOLE`. `learners` are rows of learners with a column
    for each metric and `sign`: 1 as they will stand, -1 as they stood, the latter only in contexts that are not whole.
    `published` are the stored rows of these contexts (key…, was_<metric>…), None where every context is whole.
    `is_impossible` are rows of contexts not whole whose sums cannot be right: below 0, more learners than are enrolled,
    or without the entry from which they would move. `members` has (context_id, members) of contexts whose learners are
    not a course's.
    """
    own = sums(learners, metrics, ACTIVITY_KEY, OWN_ROWS)
    of_courses = sums(learners.filter(is_course()), metrics, ("activity_id", "context_id"), COURSE_ROWS)
    wanted = owners.filter(F.col("course_id").isNotNull())
    joined = wanted.join(own, list(ACTIVITY_IN_CONTEXT), how="left").join(
        of_courses.withColumnRenamed("activity_id", "course_id"), ["course_id", "context_id"], how="left"
    )
    names = {metric.name: metric for metric in metrics if metric.is_sum}
    if members is not None:
        counted = joined.join(members, "context_id", how="left")
        joined = counted.withColumn("enrolledCount", F.coalesce("members", "enrolledCount")).drop("members")
    if published is None:
        totals = joined.withColumns({name: F.coalesce(name, F.lit(0)) for name in names})
        return with_values(totals.withColumn("is_impossible", F.lit(False)), metrics, *ACTIVITY_KEY, "is_impossible")
    stored = published.select(*ACTIVITY_KEY, *(name for name in published.columns if name.startswith(WAS)))
    joined = joined.join(stored, list(ACTIVITY_KEY), how="left").join(
        _of_courses(published, metrics), ["course_id", "context_id"], how="left"
    )
    moved = {name: F.coalesce(name, F.lit(0)) + moved_from(metric) for name, metric in names.items()}
    totals = joined.withColumns({**moved, "leafNodesCount": F.coalesce("leafNodesCount", _whole("leafNodesCount", 1))})
    checked = totals.withColumn("is_impossible", ~F.col(IS_WHOLE) & _is_impossible(metrics))
    return with_values(checked, metrics, *ACTIVITY_KEY, "is_impossible")


def _of_courses(published: DataFrame, metrics: Sequence[Metric]) -> DataFrame:
    """What is published of each course in each context, of the sums over Course rows: (course_id, context_id, of_…)."""
    names = [metric.name for metric in metrics if metric.is_sum and metric.over == COURSE_ROWS]
    return published.filter(F.col("activity_type") == COURSE).select(
        F.col("activity_id").alias("course_id"),
        "context_id",
        *(F.col(WAS + name).alias(f"of_{name}") for name in names),
    )


def moved_from(metric: Metric) -> Column:
    """The stored sum from which differences start, in whole numbers of 1/scale; 0 of a whole context and of none."""
    value = F.col(f"of_{metric.name}") if metric.over == COURSE_ROWS else F.col(WAS + metric.name)
    stored = F.coalesce(F.round(value * metric.scale).cast("bigint"), F.lit(0))
    return F.when(F.col(IS_WHOLE), 0).otherwise(stored)


def _whole(name: str, scale: int) -> Column:
    return F.round(F.col(WAS + name) * scale).cast("bigint")


def _is_impossible(metrics: Sequence[Metric]) -> Column:
    added = [metric for metric in metrics if metric.is_sum]
    is_stored = stands([WAS + name for name in dict.fromkeys(metric.name for metric in metrics)])
    lacks = [is_of(metric) & F.col(WAS + metric.name).isNull() for metric in added]
    below = [F.col(metric.name) < 0 for metric in added]
    above = [F.col(m.name) > F.col("enrolledCount") for m in added if m.counts_learners and m.over == OWN_ROWS]
    is_expected = F.col("recorded_course_id").isNotNull()
    return (is_stored & reduce(or_, lacks)) | (is_expected & ~is_stored) | reduce(or_, [*below, *above])


def signed(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """Compared rows as `activity_rows` takes them: as they will stand and, in contexts not whole, as they stood.

    `rows` have `LEARNER_KEY`, a column for each of `names`, was_<name> and, unless every context is, `IS_WHOLE`.
    """
    after = rows.select(*LEARNER_KEY, *names, F.lit(1).alias(SIGN)).filter(stands(names))
    if IS_WHOLE not in rows.columns:
        return after
    before = rows.filter(~F.col(IS_WHOLE)).select(
        *LEARNER_KEY, *(F.col(WAS + name).alias(name) for name in names), F.lit(-1).alias(SIGN)
    )
    return after.unionByName(before.filter(stands(names)))
