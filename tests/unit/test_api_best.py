"""A member's best row, in the order that the rows of groups are made by."""

from __future__ import annotations

import pytest

from activity_aggregates.api.answering.best import Stored, best
from metrics.names import COURSE, COURSE_UNIT, QUIZ
from tests.unit.test_api_maps import stored


def row(kind: str, context: str, **values: float) -> Stored:
    return Stored(kind, f"cb:{context}", (stored(dict(values)), None))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (
            row(COURSE, "b2", completed=1.0, completionPercentage=50.0),
            row(COURSE, "b1", completed=0.0, completionPercentage=99.0),
        ),
        (row(COURSE, "b2", completionPercentage=50.0), row(COURSE, "b1", completionPercentage=49.0)),
        (row(COURSE_UNIT, "b1", completionPercentage=50.0), row(COURSE, "b2", completionPercentage=50.0)),
        (row(COURSE, "b1", completionPercentage=50.0), row(COURSE_UNIT, "b1", completionPercentage=50.0)),
        (row(QUIZ, "b2", scorePercentage=50.0, score=3.0), row(QUIZ, "b1", scorePercentage=50.0, score=2.0)),
        (row(COURSE, "b1", score=1.0), row(COURSE, "b2", score=9.0)),
        (row(COURSE, "b2"), row(COURSE, "b1", completionPercentage=float("nan"))),
    ],
    ids=[
        "completed",
        "percentage",
        "context before type",
        "course at equality",
        "score",
        "score of others",
        "no number",
    ],
)
def test_the_best_row(better: Stored, worse: Stored) -> None:
    assert best([worse, better]) == best([better, worse]) == better
