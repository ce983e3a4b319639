"""Time that learners have spent, as an export of the telemetry store has it."""

from __future__ import annotations

from pyspark.sql import DataFrame

from metrics.refusals import INVALID_SECONDS, MISSING_KEY, any_blank, first_problem, is_invalid_seconds

TIMESPENT_KEY = ("user_id", "course_id", "batch_id")


def assess_timespent(timespent: DataFrame) -> DataFrame:
    """Every row of `TIMESPENT_KEY`, seconds with its `problem`; several rows of one key are all counted."""
    problem = first_problem(
        (MISSING_KEY, any_blank(*TIMESPENT_KEY)),
        (INVALID_SECONDS, is_invalid_seconds()),
    )
    return timespent.select(*TIMESPENT_KEY, "seconds", problem.alias("problem"))
