"""The metrics of one row."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from tests.model.rows import ActivityKey, Attempt, Metrics

BEFORE_ANY_ATTEMPT = datetime.min.replace(tzinfo=UTC)


def percentage(part: int | Fraction, whole: int | Fraction, of_nothing: float) -> float:
    """Floored to two decimals, at most 100.

    >>> [percentage(57, 100, 0), percentage(23, 125, 0), percentage(199, 200, 0), percentage(3, 0, of_nothing=100)]
    [57.0, 18.4, 99.5, 100]
    >>> percentage(printed(0.29), printed(1.0), 0)
    29.0
    """
    return min(math.floor(Fraction(10000 * part) / whole) / 100, 100.0) if whole else of_nothing


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


def quiz_numbers(attempts: list[Attempt]) -> Metrics:
    best = max(
        attempts,
        key=lambda each: (each.total_score, each.last_attempted_on or BEFORE_ANY_ATTEMPT, each.attempt_id),
    )
    score, maximum = float(best.total_score or 0), float(best.total_max_score or 0)
    return {
        "score": score,
        "maxScore": maximum,
        "attemptsCount": len({each.attempt_id for each in attempts}),
        "scorePercentage": percentage(printed(score), printed(maximum), of_nothing=0),
    }


def scores_by_quiz(quizzes: dict[str, list[Attempt]]) -> Metrics:
    entries: Metrics = {}
    for quiz, attempts in quizzes.items():
        numbers = quiz_numbers(attempts)
        entries[f"score:{quiz}"] = numbers["score"]
        entries[f"max_score:{quiz}"] = numbers["maxScore"]
        entries[f"attempts_count:{quiz}"] = numbers["attemptsCount"]
    return entries


def summary(key: ActivityKey, learners: set[str], rows: list[Metrics], leaf_nodes: int) -> Metrics:
    """The numbers of an activity in its context, from the rows of its learners."""
    if key.activity_type == "Quiz":
        counts: Metrics = {"enrolledCount": len(learners), "startedCount": len(rows), "completedCount": len(rows)}
        return counts | {"completionPercentage": percentage(len(rows), len(learners), of_nothing=0)}
    completed = sum(row["completed"] == 1 for row in rows)
    done = sum(int(row["completedCount"]) for row in rows)
    reached = {
        f"reached{share}Count": sum(row["completionPercentage"] >= share for row in rows) for share in (25, 50, 75)
    }
    return {
        "enrolledCount": len(learners),
        "startedCount": sum(row["startedCount"] >= 1 for row in rows),
        "completedCount": completed,
        "completionPercentage": percentage(completed, len(learners), of_nothing=0),
        "leafNodesCount": leaf_nodes,
        "completedLeafNodesCount": done,
        "averageProgress": percentage(done, len(learners) * leaf_nodes, of_nothing=100 if learners else 0),
        **reached,
    }
