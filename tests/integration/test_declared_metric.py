"""A metric that is declared is computed, summed, moved by differences and checked, and nothing else has to know it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.__main__ import main
from metrics import declarations
from metrics.declarations import ACTIVITY_AGG, COLLECTIONS, COMPLETION, OF_LEARNERS, Metric
from tests.harness.environment import Environment

OF_A_LEARNER = Metric(
    "hours", COMPLETION, "hours", "0.35 for each leaf that is done", OF_LEARNERS, COLLECTIONS, "completedCount * 0.35D"
)
OF_AN_ACTIVITY = Metric(
    "hours",
    COMPLETION,
    "hours",
    "the sum of the learners' hours",
    (ACTIVITY_AGG,),
    COLLECTIONS,
    adds="hours",
    scale=100,
)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "METRICS", (*declarations.METRICS, OF_A_LEARNER, OF_AN_ACTIVITY))


@pytest.mark.usefixtures("declared")
def test_a_declared_sum_with_fractions_is_exact_whatever_run_moves_it(made: Environment, tmp_path: Path) -> None:
    made.empty()
    conf = str(made.configure({}, tmp_path))
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", "B", "C"]}})
    made.store.load("user_enrolments", [enrolment(f"u{number}") for number in range(1, 9)])
    made.store.load("user_content_consumption", [done("u1", "A"), done("u2", "A"), done("u2", "B")])
    assert main(["run", "--conf", conf]) == 0
    assert hours(made) == 1.05
    made.store.load("user_content_consumption", [done("u1", "B"), done("u3", "C")])
    assert main(["run", "--user", "u1", "--conf", conf]) == 0
    assert hours(made) == 1.4
    made.store.load("user_enrolments", [enrolment("u3")])
    assert main(["run", "--incremental", "--conf", conf]) == 0
    assert hours(made) == 1.75
    assert main(["verify", "--published", "--conf", conf]) == 0
    assert main(["verify", "--conf", conf]) == 0


def enrolment(user: str) -> dict[str, object]:
    return {"userid": user, "courseid": "c1", "batchid": "b1", "active": True, "status": 1}


def done(user: str, content: str) -> dict[str, object]:
    return {"userid": user, "courseid": "c1", "batchid": "b1", "contentid": content, "status": 2}


def hours(made: Environment) -> float:
    (row,) = made.store.stored("activity_agg")
    return float(row["agg"]["hours"])
