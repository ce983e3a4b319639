"""The metrics of one learner in one activity and context, and the rows of activity_user_agg that carry them."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.keys import ENROLMENT_KEY
from metrics.maps import metric_map
from metrics.names import is_course, is_quiz
from metrics.percentages import percentage, score_percentage

LEARNER_KEY = ("activity_type", "activity_id", "user_id", "context_id")


def completion_percentage() -> Column:
    return percentage(F.col("completed_count"), F.col("leaf_nodes_count"), of_nothing=100.0)


def is_completed(sticky: bool) -> Column:
    """Whether all required leaves are done, or, when sticky, the enrolment says that the course once was completed."""
    all_done = F.col("completed_count") >= F.col("leaf_nodes_count")
    return all_done | (is_course() & F.col("is_earned")) if sticky else all_done


def collection_metrics() -> dict[str, Column]:
    """Each metric of a learner in a Course or CourseUnit, over `learner_rows`' columns."""
    return {
        "startedCount": F.col("started_count"),
        "completedCount": F.col("completed_count"),
        "leafNodesCount": F.col("leaf_nodes_count"),
        "completionPercentage": F.col("completion_percentage"),
        "completed": F.col("is_completed").cast("int"),
    }


def quiz_metrics() -> dict[str, Column]:
    """Each metric of a learner in a Quiz."""
    return {
        "score": F.col("score"),
        "maxScore": F.col("max_score"),
        "attemptsCount": F.col("attempts_count"),
        "scorePercentage": score_percentage(F.col("score"), F.col("max_score")),
    }


def learner_rows(progress: DataFrame, scores: DataFrame, course_scores: DataFrame | None, sticky: bool) -> DataFrame:
    """`LEARNER_KEY`, course_id, started_count, completed_count, completion_percentage, is_completed, agg map.

    `progress` is `progress_by_collection`, `scores` is `quiz_scores`, `course_scores` is `scores_by_enrolment` where
    the Course rows carry the scores of their quizzes. The counts are null in rows of quizzes.
    """
    columns = [
        *LEARNER_KEY, "course_id", "started_count", "completed_count", "completion_percentage", "is_completed", "agg",
    ]  # fmt: skip
    collections = (
        _with_scores(progress, course_scores)
        .withColumns({"completion_percentage": completion_percentage(), "is_completed": is_completed(sticky)})
        .withColumn("agg", F.map_concat(metric_map(collection_metrics()), "scores"))
        .select(columns)
    )
    quizzes = (
        scores.filter(F.col("is_enrolled") & ~F.col("is_retired"))
        .withColumn("agg", metric_map(quiz_metrics()))
        .select(*columns[:5], *(F.lit(None).cast(kind).alias(name) for name, kind in _ONLY_COLLECTIONS), "agg")
    )
    return collections.unionByName(quizzes)


_ONLY_COLLECTIONS = (
    ("started_count", "bigint"), ("completed_count", "bigint"), ("completion_percentage", "double"),
    ("is_completed", "boolean"),
)  # fmt: skip


def _with_scores(progress: DataFrame, course_scores: DataFrame | None) -> DataFrame:
    nothing = F.create_map().cast("map<string,double>")
    if course_scores is None:
        return progress.withColumn("scores", nothing)
    joined = progress.join(course_scores, list(ENROLMENT_KEY), how="left")
    return joined.withColumn("scores", F.coalesce(F.when(is_course(), F.col("scores")), nothing))


def best_context_rank() -> Column:
    """The order in which a learner's contexts of one activity are preferred, the best one smallest.

    Completed first, then the highest completionPercentage (of a quiz: scorePercentage, then score), then the smallest
    context_id. Reads the map `agg`.
    """
    agg = F.col("agg")
    percentage_name = F.when(is_quiz(), F.lit("scorePercentage")).otherwise(F.lit("completionPercentage"))
    score = F.when(is_quiz(), F.coalesce(agg["score"], F.lit(0.0))).otherwise(F.lit(0.0))
    return F.struct(
        (-F.coalesce(agg["completed"], F.lit(0.0))).alias("completed"),
        (-F.coalesce(agg[percentage_name], F.lit(0.0))).alias("percentage"),
        (-score).alias("score"),
        F.col("context_id").alias("context_id"),
    )
