"""The rows of activity_user_agg: one learner in one activity and context, a column for each metric."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.declarations import Metric
from metrics.keys import ENROLMENT_KEY
from metrics.predicates import is_course, is_quiz
from metrics.quizzes import QUIZ_COLUMNS
from metrics.values import with_values

LEARNER_KEY = ("activity_type", "activity_id", "user_id", "context_id")
CARRIED = "carried_"  # before the name of an entry of others that members' rows take along
ENTRIES = "entries"  # map<string,double> of entries that have an id in their names; null without any


def learner_rows(
    progress: DataFrame,
    scores: DataFrame | None,
    course_scores: DataFrame | None,
    metrics: Sequence[Metric],
    held: DataFrame | None = None,
    *,
    has_entries: bool = True,
) -> DataFrame:
    """`LEARNER_KEY`, course_id, `entries` and a double for each metric.

    `progress` is `progress_by_collection`, `scores` is `quiz_scores`, `course_scores` is `scores_by_enrolment`;
    `has_entries` tells whether the Course rows carry the scores of their quizzes. `held` is `quizzes.held_quizzes`.
    """
    rows = _with_attempts(progress, course_scores, has_entries)
    if scores is not None:
        quizzes = scores.filter(F.col("is_enrolled") & ~F.col("is_retired"))
        rows = rows.unionByName(quizzes.select(*LEARNER_KEY, "course_id", *QUIZ_COLUMNS), allowMissingColumns=True)
    if held is not None:
        of_members = held.filter("is_active").select(*LEARNER_KEY, *QUIZ_COLUMNS)
        rows = rows.unionByName(of_members, allowMissingColumns=True)
    rows = rows.withColumns(
        {name: F.lit(None).cast(kind) for name, kind in QUIZ_COLUMNS.items() if name not in rows.columns}
    )
    return with_values(rows, metrics, *LEARNER_KEY, "course_id", ENTRIES)


def _with_attempts(progress: DataFrame, course_scores: DataFrame | None, has_entries: bool) -> DataFrame:
    """The learners' rows with what their attempts add to them: entries, and dates where these are wanted."""
    latest = ["lastActiveOn"] if "lastActiveOn" in progress.columns else []
    if course_scores is None or not (has_entries or latest):
        entries, dates = F.lit(None).cast("map<string,double>"), ["accessedOn"]
    else:
        progress = progress.join(course_scores, list(ENROLMENT_KEY), how="left")
        entries, dates = F.when(is_course() & F.lit(has_entries), F.col("scores")), ["accessedOn", "attemptedOn"]
    last_active_on = {name: F.greatest(name, *dates) for name in latest}  # which passes over nulls
    return progress.withColumns({ENTRIES: entries, **last_active_on}).drop("scores", *dates)


def best_context_rank() -> Column:
    """The order in which a learner's contexts of one activity are preferred, the best one smallest.

    Completed first, then the highest completionPercentage (of a quiz: scorePercentage, then score), then the smallest
    context_id.
    """

    def highest(value: Column) -> Column:
        return -F.coalesce(value, F.lit(0.0))

    return F.struct(
        highest(F.col("completed")).alias("completed"),
        highest(F.when(is_quiz(), F.col("scorePercentage")).otherwise(F.col("completionPercentage"))).alias(
            "percentage"
        ),
        highest(F.when(is_quiz(), F.col("score"))).alias("score"),
        F.col("context_id").alias("context_id"),
    )
