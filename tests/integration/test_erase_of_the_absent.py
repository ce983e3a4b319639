"""An erase where one of the two is not there any more, the learner or the course, on a real Cassandra."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.environment import Environment
from tests.integration.test_erase import FOREIGN, GONE, SECRET, STAYS, World


@pytest.fixture
def place(made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Empty tables, and the secret."""
    monkeypatch.setenv("ERASED_SECRET", SECRET)
    made.empty()
    return World(made, tmp_path)


def test_what_rested_on_somebody_who_had_left_ends_with_the_erase(place: World) -> None:
    """Of who is not active nothing is stored: a quiz of another learner, a course and its quiz were theirs alone."""
    load = place.made.store.load
    load("content_hierarchy", {course: {"course": course, "children": ["A"]} for course in ("c1", "c2", "c3")})
    for user, course, batch, active in (
        (GONE, "c1", "b1", False), (STAYS, "c1", "b1", True), ("u2", "c2", "b1", True), (GONE, "c3", "b3", False),
    ):  # fmt: skip
        load("user_enrolments", [{"userid": user, "courseid": course, "batchid": batch, "active": active}])
    for user, course, quiz in ((GONE, "c1", "Q"), ("u2", "c2", "Q"), (GONE, "c1", "P")):
        attempt = {"course_id": course, "batch_id": "b1", "user_id": user, "content_id": quiz, "attempt_id": "1"}
        load("assessment_aggregator", [{**attempt, "total_score": 1, "total_max_score": 2}])
    others = {"activity_type": "Course", "activity_id": "c3", "user_id": GONE, "context_id": "cb:b3", **FOREIGN}
    place.made.store.merge("activity_user_agg", [others])  # which says nothing of what is ours
    assert place.run() == 0
    assert place.erase() == 0
    assert {(row["course_id"], row["activity_id"]) for row in place.rows("activity_catalog")} == {
        ("c1", "c1"), ("c2", "c2"), ("c2", "Q"),
    }  # fmt: skip
    assert "u2" in {row["user_id"] for row in place.rows("activity_user_agg") if row["activity_id"] == "Q"}
    assert place.run() == 0
    assert place.latest().counts["written"] == 0


@pytest.mark.parametrize("choices", [(), ("--set", "metrics.completion=current")], ids=["with a base", "without one"])
def test_a_retired_course_is_counted_anew_from_its_stored_rows(place: World, choices: tuple[str, ...]) -> None:
    """What its tree required is not known any more, and stays as it is stored; a day of the one alone goes."""
    load, families = place.made.store.load, ("--set", "metrics.families=[completion, dates]")
    load("content_hierarchy", {"c1": {"course": "c1", "children": [*"ABCD"]}})
    for user, day in ((GONE, 5), (STAYS, 6)):
        row = {"userid": user, "courseid": "c1", "batchid": "b1"}
        load("user_enrolments", [{**row, "enrolled_date": f"2026-01-0{day}T08:00:00Z"}])
        load("user_content_consumption", [{**row, "contentid": "A", "status": 2}])
    assert place.run(*families) == 0
    load("content_hierarchy", {"c1": {"course": "c1", "status": "Retired", "children": [*"ABCD"]}})
    assert place.erase(*families, *choices) == 0
    agg = place.counts("activity_agg")["c1"]
    assert (agg["enrolledCount"], agg["leafNodesCount"], agg["averageProgress"]) == (1, 4, 25)
    assert {str(row["day"]): row["agg"] for row in place.rows("activity_day_agg")} == {
        "2026-01-06": {"enrolledCount": 1}
    }


def test_an_incremental_run_that_looks_at_all_finds_the_erased_in_no_progress(place: World) -> None:
    """Progress alone names them still; otherwise it is read by the learners that are looked at."""
    load, row = place.made.store.load, {"courseid": "c1", "batchid": "b1"}
    load("content_hierarchy", {"c1": {"course": "c1", "children": ["A"]}})
    for user in (GONE, STAYS, "u2"):
        load("user_enrolments", [{**row, "userid": user, "status": 0}])
        load("user_content_consumption", [{**row, "userid": user, "contentid": "A", "status": 7}])
    assert place.run() == 0
    assert place.erase() == 0
    place.made.store.delete("user_enrolments", [{**row, "userid": GONE}])
    load("user_enrolments", [{**row, "userid": user, "status": 1} for user in (STAYS, "u2")])
    assert place.run("--incremental") == 0
    assert place.latest().counts["refused.progress.invalid_status"] == 2
    assert GONE not in place.all_text()
