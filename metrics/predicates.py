"""Named conditions on the rows of every table."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from metrics.names import ACTIVITY_TYPES, BATCH_CONTEXT, CONTEXTS, COURSE, QUIZ


def context_id() -> Column:
    """The context of a course batch, `cb:<batch_id>`."""
    return F.concat(F.lit(BATCH_CONTEXT), F.col("batch_id"))


def is_served_activity() -> Column:
    """Whether `activity_type` is one that this software keeps rows of."""
    return F.col("activity_type").isin(*ACTIVITY_TYPES)


def is_served_row() -> Column:
    """Whether a row of `activity_type` and `context_id` is of a kind that this software keeps."""
    return is_served_activity() & F.col("context_id").rlike("^(" + "|".join(CONTEXTS) + ")")


def is_course() -> Column:
    return F.col("activity_type") == COURSE


def is_quiz() -> Column:
    return F.col("activity_type") == QUIZ
