"""Time spent: which rows are refused, and what several rows of one learner come to."""

from __future__ import annotations

import math

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from metrics.keys import enrolment_key
from metrics.timespent import assess_timespent, matched_timespent_counts, seconds_by_enrolment, with_timespent
from tests.harness.frames import assert_rows, frame

SPENT = "user_id string, course_id string, batch_id string, seconds double"


def test_each_refused_row_has_the_first_reason_that_holds(spark: SparkSession) -> None:
    expected = {
        (None, "c1", "b1", math.nan): "missing_key",
        ("u1", " ", "b1", 1.0): "missing_key",
        ("u1", "c1", "", 1.0): "missing_key",
        ("u1", "c1", "b1", None): "invalid_seconds",
        ("u2", "c1", "b1", math.nan): "invalid_seconds",
        ("u1", "c1", "b1", -0.001): "invalid_seconds",
        ("u1", "c1", "b1", 1e9 + 1): "invalid_seconds",
        ("u1", "c1", "b1", 1e9): None,
        ("u1", "c1", "b1", 0.0): None,
    }
    found = assess_timespent(frame(spark, SPENT, *expected))
    assert found.columns == ["user_id", "course_id", "batch_id", "seconds", "problem"]
    assert [row.problem for row in found.collect()] == list(expected.values())


def test_rows_are_rounded_to_milliseconds_and_their_sum_down_to_seconds(spark: SparkSession) -> None:
    spent = frame(
        spark, SPENT, ("u1", "c1", "b1", 0.9995), ("u1", "c1", "b1", 1.0004), ("u1", "c1", "b1", 1.9999),
        ("u2", "c1", "b1", 1.9994), ("u3", "c1", "b1", 1e9), ("u3", "c1", "b1", 1e9),
    )  # fmt: skip
    keyed = seconds_by_enrolment(spent).join(
        spent.select("user_id", *enrolment_key()).distinct(), ["key_high", "key_low"], how="inner"
    )
    assert_rows(
        keyed, "user_id string, timespent bigint, timespent_rows bigint",
        ("u1", 4, 3), ("u2", 1, 1), ("u3", 2_000_000_000, 2),
    )  # fmt: skip


def test_rows_are_matched_and_those_that_count_nowhere_are_counted(spark: SparkSession) -> None:
    enrolments = frame(
        spark, "user_id string, course_id string, batch_id string, is_retired boolean, is_enrolled boolean",
        ("u1", "c1", "b1", False, True), ("u2", "c1", "b1", False, False), ("u3", "c2", "b2", True, True),
        ("u4", "c1", "b1", False, True),
    ).select("*", *enrolment_key())  # fmt: skip
    spent = frame(
        spark, SPENT, ("u1", "c1", "b1", 5.0), ("u2", "c1", "b1", 6.0), ("u2", "c1", "b1", 1.0),
        *[("u3", "c2", "b2", 7.0)] * 3, ("u1", "c1", "b2", 8.0),
    )  # fmt: skip
    matched = with_timespent(enrolments, seconds_by_enrolment(spent))
    assert_rows(
        matched, "user_id string, timespent bigint, timespent_rows bigint",
        ("u1", 5, 1), ("u2", 7, 2), ("u3", 21, 3), ("u4", None, None),
    )  # fmt: skip
    counted = matched.agg(*matched_timespent_counts())
    wanted = "matched bigint, retired_timespent bigint, inactive_timespent bigint"
    assert_rows(counted, wanted, (6, 3, 2))
    assert_rows(matched.filter(F.lit(False)).agg(*matched_timespent_counts()), wanted, (0, 0, 0))
