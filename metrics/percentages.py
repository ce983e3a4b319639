"""Percentages as SQL, floored to two decimals without a rounding error on the way."""

from __future__ import annotations

# 15 digits before and 17 after the point: times 10,000 this is the widest decimal that Spark computes exactly.
_EXACT = "decimal(32,17)"
_EXACT_BELOW = "1e15D"
_EXACT_FROM = "1e-10D"


def percentage(part: str, whole: str, of_nothing: int) -> str:
    """`part` of `whole` in percent, both counts; `of_nothing` where `whole` is 0.

    Integer arithmetic: 57 of 100 is 57.0, where `floor(57 / 100 * 10000)` of doubles gives 56.99.
    """
    hundredths = f"(CAST({part} AS BIGINT) * 10000) div CAST({whole} AS BIGINT)"
    return f"CASE WHEN {whole} = 0 THEN {of_nothing}D ELSE least(({hundredths}) / 100D, 100D) END"


def score_percentage(score: str, maximum: str) -> str:
    """`score` of `maximum` in percent, both finite doubles from 0; 0 where `maximum` is 0, 100 above it.

    Computed on the decimals that print the doubles: 0.29 of 1 is 29.0. Beyond the range of exact decimals (from 1e15,
    or below 1e-10 but not 0) on the doubles themselves.
    """
    is_exact = (
        f"{maximum} < {_EXACT_BELOW} AND {maximum} >= {_EXACT_FROM} AND ({score} = 0 OR {score} >= {_EXACT_FROM})"
    )
    exact = f"((CAST({score} AS {_EXACT}) * 10000) div CAST({maximum} AS {_EXACT})) / 100D"
    return (
        f"CASE WHEN {maximum} = 0 THEN 0D WHEN {score} >= {maximum} THEN 100D WHEN {is_exact} THEN {exact} "
        f"ELSE floor({score} / {maximum} * 10000) / 100D END"
    )
