"""The best of a member's rows for one activity, by the rule that the rows of groups are made with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan

from activity_aggregates.api.answering.shapes import VALUES, Maps
from metrics.names import COURSE, QUIZ


@dataclass(frozen=True)
class Stored:
    """A member's row: of which type, in which context, and its maps."""

    kind: str
    context_id: str
    maps: Maps


def best(rows: Iterable[Stored]) -> Stored:
    """As `metrics.learners.best_context_rank` has it, and at equality the row of the Course itself.

    Completed before not, then the highest percentage, of a quiz the highest score, then the smallest context.
    """
    return min(rows, key=_rank)


def _rank(row: Stored) -> tuple[float, float, float, str, bool]:
    values = dict(VALUES.entries(row.maps[0])) if row.maps[0] else {}

    def lowest(metric: str) -> float:
        value = values.get(metric, 0.0)
        return inf if isnan(value) else -value

    is_quiz = row.kind == QUIZ
    return (
        lowest("completed"),
        lowest("scorePercentage" if is_quiz else "completionPercentage"),
        lowest("score") if is_quiz else 0.0,
        row.context_id,
        row.kind != COURSE,
    )
