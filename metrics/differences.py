"""Counts of all learners from what is published and the learners whose rows may have changed, by exact differences.

A published count is a sum over published rows. Without the rows that are computed anew it is the sum of all others,
to which the new rows are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.activities import ACTIVITY_KEY, learner_counts, learner_sums
from metrics.groups import GROUP_ACTIVITY_KEY, member_sums
from metrics.maps import published
from metrics.ownership import own_names


def activity_sums(computed: DataFrame, stored_activities: DataFrame, stored_learners: DataFrame) -> DataFrame:
    """`activities.learner_sums` of all learners.

    `computed` are `learner_rows` of some learners, `stored_learners` the stored rows which these replace or retract,
    `stored_activities` the stored rows of activity_agg in the contexts where there are other learners.
    """
    counts = list(learner_counts())
    replaced = learner_sums(published_learners(stored_learners))
    return _summed(
        ACTIVITY_KEY, counts, learner_sums(computed), _published_counts(stored_activities, counts), _negative(replaced)
    )


def group_sums(computed: DataFrame, stored_groups: DataFrame, stored_members: DataFrame) -> DataFrame:
    """`groups.member_sums` of all members, likewise."""
    counts = ["completed_count"]
    replaced = member_sums(_with_own_metrics(stored_members, "group_activity_user_agg"))
    return _summed(
        GROUP_ACTIVITY_KEY, counts, member_sums(computed), _published_counts(stored_groups, counts), _negative(replaced)
    )


def published_learners(stored: DataFrame) -> DataFrame:
    """The columns of `learner_rows` that are counted, from stored rows that have a metric."""
    return _with_own_metrics(stored, "activity_user_agg").select(
        *ACTIVITY_KEY,
        published("started_count").alias("started_count"),
        published("completed_count").alias("completed_count"),
        published("completion_percentage").alias("completion_percentage"),
        (F.coalesce(published("completed"), F.lit(0.0)) == 1).alias("is_completed"),
    )


def _with_own_metrics(rows: DataFrame, table: str) -> DataFrame:
    """The rows that have one of the job's own metrics: another writer's entries make no learner."""
    names = sorted(own_names(table))
    return rows.filter(F.exists(F.map_keys("agg"), lambda name: name.isin(names)))


def _published_counts(rows: DataFrame, counts: Sequence[str]) -> DataFrame:
    return rows.withColumns({name: F.coalesce(published(name), F.lit(0.0)).cast("long") for name in counts})


def _negative(sums: DataFrame) -> DataFrame:
    return sums.withColumns({name: -F.col(name) for name in sums.columns if name.endswith("_count")})


def _summed(key: Sequence[str], counts: Sequence[str], *parts: DataFrame) -> DataFrame:
    columns: list[str | Column] = [*key, *(F.col(name).cast("long").alias(name) for name in counts)]
    whole = reduce(DataFrame.unionByName, (part.select(*columns) for part in parts))
    return whole.groupBy(*key).agg(*(F.sum(name).alias(name) for name in counts))
