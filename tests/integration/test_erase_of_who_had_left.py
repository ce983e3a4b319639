"""An erase of a learner who was enrolled and not active any more, on a real Cassandra."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.environment import Environment
from tests.integration.test_erase import GONE, SECRET, STAYS, World


def test_what_rested_on_somebody_who_had_left_ends_with_the_erase(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of who is not active nothing is stored: a quiz of another learner, a course and its quiz were theirs alone."""
    monkeypatch.setenv("ERASED_SECRET", SECRET)
    place = World(made, tmp_path)
    made.empty()
    load = made.store.load
    load("content_hierarchy", {course: {"course": course, "children": ["A"]} for course in ("c1", "c2", "c3")})
    for user, course, batch, active in (
        (GONE, "c1", "b1", False), (STAYS, "c1", "b1", True), ("u2", "c2", "b1", True), (GONE, "c3", "b3", False),
    ):  # fmt: skip
        load("user_enrolments", [{"userid": user, "courseid": course, "batchid": batch, "active": active}])
    for user, course, quiz in ((GONE, "c1", "Q"), ("u2", "c2", "Q"), (GONE, "c1", "P")):
        attempt = {"course_id": course, "batch_id": "b1", "user_id": user, "content_id": quiz, "attempt_id": "1"}
        load("assessment_aggregator", [{**attempt, "total_score": 1, "total_max_score": 2}])
    assert place.run() == 0
    assert place.erase() == 0
    assert {(row["course_id"], row["activity_id"]) for row in place.rows("activity_catalog")} == {
        ("c1", "c1"), ("c2", "c2"), ("c2", "Q"),
    }  # fmt: skip
    assert "u2" in {row["user_id"] for row in place.rows("activity_user_agg") if row["activity_id"] == "Q"}
    assert place.run() == 0
    assert place.latest().counts["written"] == 0
