"""The slow model's families, groups and published sums, literally."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.hierarchy import hierarchy_text
from tests.model import (
    ActivityKey,
    Attempt,
    CatalogKey,
    DayKey,
    Enrolment,
    Group,
    GroupAttempt,
    GroupKey,
    GroupMember,
    GroupUserKey,
    Progress,
    Settings,
    Source,
    Tables,
    TimeSpent,
    UserKey,
    erased_from,
    model,
    published_problems,
)

JANUARY_1 = 1_767_225_600_000
HOUR = 3_600_000
BEYOND_RANGE = 1_764_144_000_000_000_000
COURSE = UserKey("Course", "c1", "u1", "cb:b1")
OF_COURSE = ActivityKey("Course", "c1", "cb:b1")
NESTED = {"course": "c1", "children": ["A", {"course": "c2", "children": ["B"]}]}


def with_families(*families: str, **settings: Any) -> Settings:
    return Settings(families=frozenset({"completion", *families}), **settings)


def one_course(*enrolments: Enrolment, tree: Any = None, **rows: Any) -> Source:
    course = {"course": "c1", "children": ["A", "Q"]} if tree is None else tree
    return Source(list(enrolments), hierarchies={"c1": hierarchy_text(course)}, **rows)


def enrolment(user: str = "u1", **columns: Any) -> Enrolment:
    return Enrolment(user, "c1", "b1")._replace(**columns)


def attempt(user: str, score: float | None, maximum: float, **columns: Any) -> Attempt:
    return Attempt("c1", "b1", user, "Q", "t1", score, maximum)._replace(**columns)


def test_the_last_activity_is_the_latest_of_what_is_accepted() -> None:
    source = one_course(
        enrolment(accessed_on=1000),
        progress=[
            Progress("u1", "c1", "b1", "A", 1, accessed_on=2000),
            Progress("u1", "c1", "b1", "foreign", 1, accessed_on=9000),
        ],
        attempts=[attempt("u1", 1.0, 1.0, last_attempted_on=3000), attempt("u1", None, 1.0, last_attempted_on=9500)],
    )
    assert model(source, with_families("dates")).activity_user_agg[COURSE]["lastActiveOn"] == 9000


@pytest.mark.parametrize(("sticky", "expected"), [(True, 5.0), (False, None)])
def test_a_completion_has_a_date_only_while_it_counts(sticky: bool, expected: float | None) -> None:
    row = model(one_course(enrolment(completed_on=5)), with_families("dates", sticky=sticky)).activity_user_agg[COURSE]
    assert row.get("completedOn") == expected


@pytest.mark.parametrize(("time_zone", "day"), [("UTC", "2026-01-01"), ("America/New_York", "2025-12-31")])
def test_a_day_is_one_of_the_time_zone(time_zone: str, day: str) -> None:
    tables = model(one_course(enrolment(enrolled_on=JANUARY_1 + HOUR)), with_families("dates", time_zone=time_zone))
    assert tables.activity_day_agg == {DayKey("Course", "c1", "cb:b1", day): {"enrolledCount": 1.0}}


def test_a_date_beyond_what_is_held_refuses_its_row_alone() -> None:
    source = one_course(
        enrolment(completed_on=BEYOND_RANGE),
        enrolment("u2"),
        progress=[Progress("u2", "c1", "b1", "A", 2, accessed_on=BEYOND_RANGE)],
        attempts=[attempt("u2", 1.0, 1.0, last_attempted_on=-BEYOND_RANGE)],
    )
    tables = model(source)
    assert tables.activity_agg[OF_COURSE]["enrolledCount"] == 1
    assert {name: count for name, count in tables.counts.items() if count and "invalid_date" in name} == {
        "refused.invalid_date": 1,
        "refused.progress.invalid_date": 1,
        "refused.attempts.invalid_date": 1,
    }


@pytest.mark.parametrize("maximum", [math.nan, math.inf, -1.0])
def test_an_attempt_with_an_impossible_maximum_was_not_only_opened(maximum: float) -> None:
    tables = model(one_course(enrolment(), attempts=[attempt("u1", None, maximum), attempt("u1", None, 1.0)]))
    assert (tables.counts["refused.attempts.invalid_score"], tables.counts["counted.open_attempts"]) == (1, 1)


def test_certificates_count_learners_with_an_entry() -> None:
    rows = [enrolment(certificates=[{"name": "merit"}]), enrolment("u2", certificates=[]), enrolment("u3")]
    tables = model(one_course(*rows), with_families("certificates"))
    assert [tables.activity_user_agg[COURSE._replace(user_id=user)]["certified"] for user in ("u1", "u2", "u3")] == [
        1, 0, 0,
    ]  # fmt: skip
    assert tables.activity_agg[OF_COURSE]["certifiedCount"] == 1


def test_scores_of_an_activity_are_summed_in_hundredths() -> None:
    source = one_course(
        enrolment(), enrolment("u2"), enrolment("u3"), attempts=[attempt("u1", 1.0, 3.0), attempt("u2", 2.0, 3.0)]
    )
    quiz = model(source, with_families("scores")).activity_agg[ActivityKey("Quiz", "Q", "cb:b1")]
    assert (quiz["scorePercentageSum"], quiz["averageScorePercentage"]) == (99.99, 49.99)
    assert [quiz[f"reached{share}Count"] for share in (25, 50, 75)] == [2, 1, 0]


def test_time_is_rounded_by_row_and_down_as_a_whole() -> None:
    spent = [TimeSpent("u1", "c1", "b1", seconds) for seconds in (1.4996, 0.5004, -1.0)]
    tables = model(one_course(enrolment(), enrolment("u2"), timespent=spent), with_families("time"))
    assert tables.activity_user_agg[COURSE]["timespent"] == 2
    assert "timespent" not in tables.activity_user_agg[COURSE._replace(user_id="u2")]
    activity = tables.activity_agg[OF_COURSE]
    assert (activity["timespent"], activity["timespentCount"], activity["averageTimespent"]) == (2, 1, 2)


def test_a_listed_course_is_served_where_it_is_nested_and_its_own_row_comes_first() -> None:
    source = Source(
        [Enrolment("u1", "c1", "b1"), Enrolment("u1", "c2", "b1", completed_on=1)],
        [Progress("u1", course, "b1", "B", 2) for course in ("c1", "c2")],
        {"c1": hierarchy_text(NESTED), "c2": hierarchy_text({"course": "c2", "children": ["B"]})},
        groups=[Group("g1", activities=[{"type": "course", "id": "c2"}])],
        group_members=[GroupMember("g1", "u1")],
    )
    tables = model(source, with_families("dates"))
    assert tables.group_activity_agg[GroupKey("g1", "course", "c2")]["enrolledCount"] == 1
    assert tables.group_activity_user_agg[GroupUserKey("g1", "course", "c2", "u1")]["completedOn"] == 1


def test_types_that_mean_course_are_rows_of_their_own() -> None:
    listed: list[dict[str, str | None]] = [
        {"type": kind, "id": "c1"} for kind in ("Course", "TextBook", "textbook", "Playlist")
    ]
    source = one_course(enrolment(), groups=[Group("g1", activities=listed)], group_members=[GroupMember("g1", "u1")])
    tables = model(source, Settings(course_types=("TextBook",)))
    assert {key.activity_type for key in tables.group_activity_user_agg} == {"Course", "TextBook", "textbook"}
    assert tables.counts["counted.unserved_group_activities"] == 1


def test_a_quiz_held_in_a_group_counts_its_active_members_and_no_other_group_sees_it() -> None:
    source = Source(
        groups=[Group(group, activities=[{"type": "Quiz", "id": "Q"}]) for group in ("g1", "g2")],
        group_members=[GroupMember("g1", "u1"), GroupMember("g1", "u2", "inactive"), GroupMember("g2", "u1")],
        group_attempts=[
            GroupAttempt("g1", "Q", "u1", "t1", 1.0, 4.0),
            GroupAttempt("g1", "Q", "u2", "t1", 4.0, 4.0),
            GroupAttempt("g1", "Q", "stranger", "t1", 4.0, 4.0),
        ],
    )
    tables = model(source)
    assert [key.user_id for key in tables.activity_user_agg] == ["u1"]
    assert tables.activity_agg[ActivityKey("Quiz", "Q", "g:g1")]["enrolledCount"] == 1
    assert tables.group_activity_agg[GroupKey("g1", "Quiz", "Q")]["enrolledCount"] == 1
    assert tables.group_activity_agg[GroupKey("g2", "Quiz", "Q")]["completedCount"] == 0


def test_what_is_carried_comes_from_the_best_row() -> None:
    source = one_course(
        enrolment(),
        groups=[Group("g1", activities=[{"type": "Course", "id": "c1"}])],
        group_members=[GroupMember("g1", "u1")],
    )
    before = Tables(activity_user_agg={COURSE: {"minutes": 7.0, "other": 1.0}})
    carried = model(source, Settings(carry=("minutes",)), before).group_activity_user_agg
    assert carried[GroupUserKey("g1", "Course", "c1", "u1")].keys() & {"minutes", "other"} == {"minutes"}


def test_rows_of_an_unsettled_course_stay_with_what_it_owns_and_all_else_moves_on() -> None:
    shared = {"unit": "n", "children": ["A"]}
    trees = {course: hierarchy_text({"course": course, "children": [shared]}) for course in ("c1", "c2")}
    rows = [Enrolment("u1", "c1", "b1"), Enrolment("u2", "c2", "b1")]
    progress = [Progress(user, course, "b1", "A", 2) for user, course in (("u1", "c1"), ("u2", "c2"))]
    before = model(Source(rows, progress, trees))
    broken = Source([rows[0], Enrolment("u2", "c2", "b1", active=False)], [], trees | {"c1": "{"})
    after = model(broken, Settings(), before)
    assert after.activity_user_agg == {key: row for key, row in before.activity_user_agg.items() if key[2] == "u1"}
    assert after.activity_catalog == before.activity_catalog
    assert after.activity_agg[ActivityKey("Course", "c2", "cb:b1")]["enrolledCount"] == 0


def test_erasing_counts_the_rows_of_an_unsettled_course_anew() -> None:
    tree = {"course": "c1", "children": [{"unit": "n", "children": ["A"]}]}
    stored = model(one_course(enrolment(), enrolment("u2"), progress=[Progress("u1", "c1", "b1", "A", 2)], tree=tree))
    after = erased_from(stored, {"u2"}, Settings())
    counts = {key.activity_id: row["enrolledCount"] for key, row in after.activity_agg.items()}
    assert counts == {"c1": 1, "n": 1}
    assert not published_problems(after)


def test_a_learner_row_without_its_activity_is_found() -> None:
    tables = model(one_course(enrolment()))
    assert published_problems(replace(tables, activity_agg={})) == ["activity_agg lacks Course c1 cb:b1"]


def test_a_count_of_nobody_that_is_missing_is_found_by_the_catalog() -> None:
    tables = Tables(activity_catalog={CatalogKey("cb:b1", "Course", "c1"): "c1"})
    assert published_problems(tables) == ["activity_agg lacks Course c1 cb:b1"]


def test_entries_of_families_that_are_off_are_not_looked_at() -> None:
    tables = model(one_course(enrolment(certificates=[{"name": "merit"}])), with_families("certificates"))
    tables.activity_agg[OF_COURSE]["certifiedCount"] = 9.0
    assert published_problems(tables) == []
    assert len(published_problems(tables, with_families("certificates"))) == 1
