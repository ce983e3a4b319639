"""The best of a member's rows for one activity, by the rule that the rows of groups are made with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from activity_aggregates.api.answering.shapes import VALUES, Maps

COURSE, COURSE_UNIT = "Course", "CourseUnit"


@dataclass(frozen=True)
class Stored:
    """A member's row: of which type, in which context, and its maps."""

    kind: str
    context_id: str
    maps: Maps


def best(rows: Iterable[Stored]) -> Stored:
    """Completed before not, then the highest percentage, then Course before others, then the smallest context."""
    return min(rows, key=_rank)


def _rank(row: Stored) -> tuple[float, float, float, bool, str]:
    values = dict(VALUES.entries(row.maps[0])) if row.maps[0] else {}
    percentage = values.get("completionPercentage", values.get("scorePercentage", 0.0))
    return (
        -values.get("completed", 0.0),
        -percentage,
        -values.get("score", 0.0),
        row.kind != COURSE,
        row.context_id,
    )
