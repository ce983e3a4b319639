"""The metrics of one learner's row, and the arithmetic of all."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.model.acceptance import latest
from tests.model.rows import Attempt, Date, GroupAttempt, Metrics

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Taken = Sequence[Attempt | GroupAttempt]


def percentage(part: int | Fraction, whole: int | Fraction, of_nothing: float) -> float:
    """Floored to two decimals, at most 100.

    >>> [percentage(57, 100, 0), percentage(23, 125, 0), percentage(199, 200, 0), percentage(3, 0, of_nothing=100)]
    [57.0, 18.4, 99.5, 100]
    >>> percentage(printed(0.29), printed(1.0), 0)
    29.0
    """
    return min(math.floor(Fraction(10000 * part) / whole) / 100, 100.0) if whole else of_nothing


def average(total: Fraction | int, count: int) -> float:
    """Floored to two decimals; 0 of nobody.

    >>> average(hundredths([33.33, 66.66]), 2), average(5, 0)
    (49.99, 0.0)
    """
    return math.floor(100 * Fraction(total) / count) / 100 if count else 0.0


def hundredths(percentages: Sequence[float]) -> Fraction:
    """Their exact sum."""
    return sum((printed(value) for value in percentages), Fraction(0))


def printed(value: float) -> Fraction:
    """The decimal that a double prints as, not the binary fraction that it is."""
    return Fraction(Decimal(repr(float(value))))


def leaf_counts(contents: dict[str, int], leaves: set[str], required: set[str]) -> Metrics:
    done = sum(contents.get(leaf, 0) == 2 for leaf in required)
    return {
        "startedCount": sum(contents.get(leaf, 0) >= 1 for leaf in leaves),
        "completedCount": done,
        "leafNodesCount": len(required),
        "completionPercentage": percentage(done, len(required), of_nothing=100),
        "completed": float(done == len(required)),
    }


def quiz_numbers(attempts: Taken) -> Metrics:
    best = max(attempts, key=lambda each: (each.total_score, dated(each.last_attempted_on), each.attempt_id))
    score, maximum = float(best.total_score or 0), float(best.total_max_score or 0)
    return {
        "score": score,
        "maxScore": maximum,
        "attemptsCount": len({each.attempt_id for each in attempts}),
        "scorePercentage": percentage(printed(score), printed(maximum), of_nothing=0),
    }


def dated(date: Date) -> float:
    """To be compared: no date is before any."""
    return -math.inf if date is None else date


def last_attempted_on(attempts: Taken) -> Date:
    return latest(each.last_attempted_on for each in attempts)


def scores_by_quiz(quizzes: dict[str, list[Attempt]]) -> Metrics:
    entries: Metrics = {}
    for quiz, attempts in quizzes.items():
        numbers = quiz_numbers(attempts)
        entries[f"score:{quiz}"] = numbers["score"]
        entries[f"max_score:{quiz}"] = numbers["maxScore"]
        entries[f"attempts_count:{quiz}"] = numbers["attemptsCount"]
    return entries


def whole_seconds(rows: list[float]) -> float:
    """Each row rounded to milliseconds, their sum rounded down.

    >>> whole_seconds([0.4994, 0.5])
    0.0
    >>> whole_seconds([1.4996, 0.5004])
    2.0
    """
    return float(sum(math.floor(printed(seconds) * 1000 + Fraction(1, 2)) for seconds in rows) // 1000)


def day(date: float, time_zone: str) -> str | None:
    """The day of a time zone on which a moment falls; none outside of the years 1 to 9999.

    >>> day(1767308400000, "UTC"), day(1767308400000, "Asia/Kolkata"), day(9e15, "UTC")
    ('2026-01-01', '2026-01-02', None)
    """
    try:
        return (EPOCH + timedelta(milliseconds=date)).astimezone(ZoneInfo(time_zone)).date().isoformat()
    except OverflowError:
        return None


def dates(**by_name: Date) -> Metrics:
    """The dates that there are, as entries."""
    return {name: float(date) for name, date in by_name.items() if date is not None}
