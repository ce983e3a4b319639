"""The metrics of one activity in one context, over all of its learners: the rows of activity_agg."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.maps import metric_map
from metrics.names import is_quiz
from metrics.percentages import percentage

REACHED = (25, 50, 75)
ACTIVITY_KEY = ("activity_type", "activity_id", "context_id")


def average_progress() -> Column:
    """Done leaves of all that the learners could have done; 0 of nobody, 100 where nothing is required."""
    possible = F.col("enrolled_count") * F.col("leaf_nodes_count")
    progress = percentage(F.col("completed_leaf_nodes_count"), possible, of_nothing=100.0)
    return F.when(F.col("enrolled_count") == 0, F.lit(0.0)).otherwise(progress)


def activity_metrics() -> dict[str, Column]:
    """Each metric of an activity and context, over `activity_rows`' columns; those after the fourth not of a Quiz."""
    enrolled, completed = F.col("enrolled_count"), F.col("completed_count")
    of_collections = {
        "leafNodesCount": F.col("leaf_nodes_count"),
        "completedLeafNodesCount": F.col("completed_leaf_nodes_count"),
        "averageProgress": average_progress(),
        **{f"reached{share}Count": F.col(f"reached_{share}_count") for share in REACHED},
    }
    return {
        "enrolledCount": enrolled,
        "startedCount": F.col("started_count"),
        "completedCount": completed,
        "completionPercentage": percentage(completed, enrolled, of_nothing=0.0),
        **{name: F.when(~is_quiz(), value) for name, value in of_collections.items()},
    }


def learner_counts() -> dict[str, Column]:
    """Aggregates over `learner_rows` of one activity and context."""
    is_row_completed = F.when(is_quiz(), F.lit(True)).otherwise(F.col("is_completed"))
    is_row_started = F.when(is_quiz(), F.lit(True)).otherwise(F.col("started_count") > 0)
    return {
        "started_count": F.count_if(is_row_started),
        "completed_count": F.count_if(is_row_completed),
        "completed_leaf_nodes_count": F.coalesce(F.sum("completed_count"), F.lit(0)),
        **{f"reached_{share}_count": F.count_if(F.col("completion_percentage") >= share) for share in REACHED},
    }


def learner_sums(learners: DataFrame) -> DataFrame:
    """`ACTIVITY_KEY` and `learner_counts` of `learner_rows`."""
    return learners.groupBy(*ACTIVITY_KEY).agg(*(value.alias(name) for name, value in learner_counts().items()))


def activity_rows(catalog: DataFrame, sums: DataFrame) -> DataFrame:
    """(activity_type, activity_id, context_id, course_id, agg) for every activity of every context, also of nobody.

    `catalog` is `catalog.catalog`, `sums` is `learner_sums`: every percentage follows from these counts.
    """
    return (
        catalog.join(sums, list(ACTIVITY_IN_CONTEXT), how="left")
        .withColumns({name: F.coalesce(name, F.lit(0)) for name in learner_counts()})
        .select(*ACTIVITY_KEY, "course_id", metric_map(activity_metrics()).alias("agg"))
    )
