"""Content progress, from one row per learner and content to counts per learner and collection, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.keys import ENROLMENT_KEY, enrolment_key
from metrics.names import ENROLMENT_IDS
from metrics.predicates import context_id, is_course
from metrics.refusals import (
    INVALID_DATE,
    INVALID_STATUS,
    MISSING_KEY,
    any_blank,
    first_problem,
    is_invalid_date,
    is_invalid_status,
)


def is_started() -> Column:
    return F.col("status") >= 1


def is_done() -> Column:
    return F.col("status") == 2


def assess_progress(progress: DataFrame) -> DataFrame:
    """Every row of (user_id, course_id, batch_id, content_id, status, accessed_on) with its `problem`."""
    problem = first_problem(
        (MISSING_KEY, any_blank(*ENROLMENT_IDS, "content_id")),
        (INVALID_STATUS, is_invalid_status()),
        (INVALID_DATE, is_invalid_date()),
    )
    return progress.select(*ENROLMENT_IDS, "content_id", "status", "accessed_on", problem.alias("problem"))


def progress_words(accepted: DataFrame, leaves: DataFrame) -> DataFrame:
    """(key_high, key_low, word, started, done, accessed_on, progress_rows): a learner's leaves as bits, 64 to a word.

    `word` is null for contents that are not in the course. A bit stays set however often it is set, so several rows
    for one content count once, with their highest status.
    """
    return (
        accepted.join(leaves, ["course_id", "content_id"], how="left")
        .select(*enrolment_key(), "word", "mask", "status", "accessed_on")
        .groupBy(*ENROLMENT_KEY, "word")
        .agg(
            F.bit_or(F.when(is_started(), F.col("mask"))).alias("started"),
            F.bit_or(F.when(is_done(), F.col("mask"))).alias("done"),
            F.max("accessed_on").alias("accessed_on"),
            F.count(F.lit(1)).alias("progress_rows"),
        )
    )


def with_progress(enrolments: DataFrame, words: DataFrame) -> DataFrame:
    """Each enrolment once per word of progress, and once without where it has none."""
    return enrolments.join(words, list(ENROLMENT_KEY), how="left")


def matched_progress_counts() -> list[Column]:
    """Aggregates over `with_progress`, in rows of progress: what belongs to an enrolment, and what does not count."""
    rows = F.coalesce("progress_rows", F.lit(0))
    is_retired, is_enrolled = F.col("is_retired"), F.col("is_enrolled")
    is_foreign = F.col("word").isNull()
    return [
        F.coalesce(F.sum(rows), F.lit(0)).alias("matched"),
        _sum_where(rows, is_retired).alias("retired_progress"),
        _sum_where(rows, ~is_retired & ~is_enrolled).alias("inactive_enrolment"),
        _sum_where(rows, ~is_retired & is_enrolled & is_foreign).alias("foreign_content"),
    ]


def _sum_where(rows: Column, holds: Column) -> Column:
    return F.coalesce(F.sum(F.when(holds, rows)), F.lit(0))


def progress_by_collection(learners: DataFrame, masks: DataFrame, details: Sequence[str] = ()) -> DataFrame:
    """What each learner has started and done below each collection.

    (activity_type, activity_id, user_id, context_id, course_id, key…, is_earned, details…, startedCount,
    completedCount, leafNodesCount, accessedOn). `learners` is `with_progress`; `details` are further columns of an
    enrolment. Every active enrolment has its Course row; a unit has one where a content below it was started. Of a
    Course row `accessedOn` is the latest access to any content, in milliseconds.
    """
    bits = learners.filter(F.col("is_enrolled") & ~F.col("is_retired")).select(
        *ENROLMENT_KEY, "user_id", "course_id", context_id().alias("context_id"), "is_earned",
        F.coalesce("word", F.lit(0)).alias("word"),
        F.coalesce("started", F.lit(0)).alias("started"),
        F.coalesce("done", F.lit(0)).alias("done"), F.unix_millis("accessed_on").alias("accessed_on"), *details,
    )  # fmt: skip
    learner = [*ENROLMENT_KEY, "user_id", "course_id", "context_id", "is_earned", *details]
    return (
        bits.join(masks, ["course_id", "word"], how="inner")
        .select(*learner, "started", "done", "accessed_on", F.inline("collections"))
        .groupBy(*learner, "activity_type", "activity_id", F.col("leaf_nodes_count").alias("leafNodesCount"))
        .agg(
            F.sum(_bits_of("started", "below")).alias("startedCount"),
            F.sum(_bits_of("done", "required")).alias("completedCount"),
            F.max("accessed_on").alias("accessedOn"),
        )
        .filter(is_course() | (F.col("startedCount") > 0))
    )


def _bits_of(bits: str, mask: str) -> Column:
    return F.bit_count(F.col(bits).bitwiseAND(F.col(mask))).cast("long")
