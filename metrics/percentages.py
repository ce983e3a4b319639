"""Percentages, floored to two decimals without a rounding error on the way."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# 15 digits before and 17 after the point: times 10,000 this is the widest decimal that Spark computes exactly.
_EXACT = "decimal(32,17)"
_EXACT_BELOW = 1e15
_EXACT_FROM = 1e-10


def percentage(part: Column, whole: Column, of_nothing: float) -> Column:
    """`part` of `whole` in percent, both counts; `of_nothing` where `whole` is 0.

    Integer arithmetic: 57 of 100 is 57.0, where `floor(57 / 100 * 10000)` of doubles gives 56.99.
    """
    hundredths = F.call_function("div", part.cast("long") * 10000, whole.cast("long"))
    return F.when(whole == 0, F.lit(of_nothing)).otherwise(F.least(hundredths / F.lit(100.0), F.lit(100.0)))


def score_percentage(score: Column, maximum: Column) -> Column:
    """`score` of `maximum` in percent, both finite doubles from 0; 0 where `maximum` is 0, 100 above it.

    Computed on the decimals that print the doubles: 0.29 of 1 is 29.0. Beyond the range of exact decimals (from
    1e15, or below 1e-10 but not 0) on the doubles themselves.
    """
    is_exact = (maximum < _EXACT_BELOW) & (maximum >= _EXACT_FROM) & ((score == 0) | (score >= _EXACT_FROM))
    exact = F.call_function("div", score.cast(_EXACT) * 10000, maximum.cast(_EXACT)) / F.lit(100.0)
    return (
        F.when(maximum == 0, F.lit(0.0))
        .when(score >= maximum, F.lit(100.0))
        .when(is_exact, exact)
        .otherwise(F.floor(score / maximum * 10000) / F.lit(100.0))
    )
