"""Refused rows: each has exactly one reason, the first that holds, and is counted and kept, never dropped silently.

An open attempt has a `problem` too, so that it is not accepted; but it is counted and not refused.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.names import LONGEST_KEY

MISSING_KEY = "missing_key"
INVALID_STATUS = "invalid_status"
INVALID_DATE = "invalid_date"
MISSING_HIERARCHY = "missing_hierarchy"
INVALID_HIERARCHY = "invalid_hierarchy"
EMPTY_HIERARCHY = "empty_hierarchy"
INVALID_SCORE = "invalid_score"
INVALID_SECONDS = "invalid_seconds"

HIERARCHY_REASONS = (MISSING_HIERARCHY, INVALID_HIERARCHY, EMPTY_HIERARCHY)
ENROLMENT_REASONS = (MISSING_KEY, INVALID_STATUS, INVALID_DATE, *HIERARCHY_REASONS)
PROGRESS_REASONS = (MISSING_KEY, INVALID_STATUS, INVALID_DATE)
ATTEMPT_REASONS = (MISSING_KEY, INVALID_DATE, INVALID_SCORE)
TIMESPENT_REASONS = (MISSING_KEY, INVALID_SECONDS)

OPEN_ATTEMPT = "open_attempt"

HAS_INVALID_DATE = "has_invalid_date"  # of a source's row: one of its dates cannot be read, or is beyond
LATEST_DATE_MS = 9_200_000_000_000_000  # epoch milliseconds, before and after 1970: what Spark can hold
LONGEST_SECONDS = 1e9
_NO_SPACE = r"(?U)[^\s\x1c-\x1f]"  # a sign that Python's strip() leaves, in any alphabet: trees and flags go by it


def is_blank(column: str) -> Column:
    """Whether a key column names nothing: null, empty, white space only, or longer than a key may be."""
    return F.coalesce(~F.col(column).rlike(_NO_SPACE) | (F.octet_length(column) > LONGEST_KEY), F.lit(True))


def any_blank(*columns: str) -> Column:
    """Whether any of the key columns is blank."""
    return reduce(lambda one, other: one | other, (is_blank(column) for column in columns))


def is_invalid_status() -> Column:
    """Whether `status` is none of 0, 1, 2 and null (which means 0)."""
    return F.coalesce(~F.col("status").isin(0, 1, 2), F.lit(False))


def is_invalid_date() -> Column:
    """Whether a date of the row cannot be read, or is beyond what can be held; false for a row without dates."""
    return F.col(HAS_INVALID_DATE)


def is_invalid_seconds() -> Column:
    """Whether `seconds` is null, not finite, negative, or longer than any learner can have taken."""
    seconds = F.col("seconds")
    return seconds.isNull() | F.isnan(seconds) | (seconds < 0) | (seconds > LONGEST_SECONDS)


def is_invalid_score(column: str) -> Column:
    """Whether a score is null, not finite or negative."""
    score = F.col(column)
    return score.isNull() | F.isnan(score) | (score < 0) | (score == float("inf"))


def first_problem(*checks: tuple[str, Column]) -> Column:
    """The name of the first check that holds, null where none does."""
    return F.coalesce(*(F.when(holds, F.lit(reason)) for reason, holds in checks))


def accepted(assessed: DataFrame) -> DataFrame:
    """The rows without a `problem`."""
    return assessed.filter(F.col("problem").isNull()).drop("problem")


def refused(assessed: DataFrame, *key: str) -> DataFrame:
    """The rows that are refused, for quarantine: (reason, row_key as JSON); of a long part its beginning."""
    row_key = F.to_json(F.struct(*(_kept(column) for column in key)), {"ignoreNullFields": "false"})
    is_refused = F.col("problem") != OPEN_ATTEMPT  # null, where there is no problem, is not true
    return assessed.filter(is_refused).select(F.col("problem").alias("reason"), row_key.alias("row_key"))


def _kept(column: str) -> Column:
    """A part of a refused row's key; one that is too long for a key is too long for the key of the quarantine, too."""
    is_too_long = F.octet_length(column) > LONGEST_KEY
    return (
        F.when(is_too_long, F.concat(F.left(F.col(column), F.lit(64)), F.lit("…")))
        .otherwise(F.col(column))
        .alias(column)
    )


def refusal_counts(*reasons: str) -> list[Column]:
    """Aggregate columns that count the rows read and the rows refused for each reason, to be observed."""
    return [
        F.count(F.lit(1)).alias("read"),
        *(F.count_if(F.col("problem") == reason).alias(reason) for reason in reasons),
    ]
