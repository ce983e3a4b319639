"""Time that learners have spent, as an export of the telemetry store has it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.enrolments import matched_counts
from metrics.keys import ENROLMENT_KEY, enrolment_key
from metrics.names import ENROLMENT_IDS
from metrics.refusals import INVALID_SECONDS, MISSING_KEY, any_blank, first_problem, is_invalid_seconds

_EXACT = "decimal(28,17)"  # the decimal that prints a double, of which no more than 1e9 is accepted


def assess_timespent(timespent: DataFrame) -> DataFrame:
    """Every row of `ENROLMENT_IDS`, seconds with its `problem`; several rows of one key are all counted."""
    problem = first_problem(
        (MISSING_KEY, any_blank(*ENROLMENT_IDS)),
        (INVALID_SECONDS, is_invalid_seconds()),
    )
    return timespent.select(*ENROLMENT_IDS, "seconds", problem.alias("problem"))


def seconds_by_enrolment(accepted: DataFrame) -> DataFrame:
    """(key_high, key_low, timespent, timespent_rows): whole seconds of each learner, course and batch.

    Each row is rounded to milliseconds, their sum is rounded down.
    """
    milliseconds = F.round(F.col("seconds").cast(_EXACT) * 1000).cast("bigint")
    return (
        accepted.select(*enrolment_key(), milliseconds.alias("milliseconds"))
        .groupBy(*ENROLMENT_KEY)
        .agg(F.sum("milliseconds").alias("milliseconds"), F.count(F.lit(1)).alias("timespent_rows"))
        .select(*ENROLMENT_KEY, F.expr("milliseconds div 1000").alias("timespent"), "timespent_rows")
    )


def with_timespent(enrolments: DataFrame, seconds: DataFrame) -> DataFrame:
    """Each enrolment with its `timespent`, null without a row, and `timespent_rows`."""
    return enrolments.join(seconds, list(ENROLMENT_KEY), how="left")


def matched_timespent_counts() -> list[Column]:
    """Aggregates over `with_timespent`, in rows of the source."""
    return matched_counts(F.coalesce("timespent_rows", F.lit(0)), "timespent")
