"""The members and activities of groups, and what both show of the learners' rows."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.sources.tables import GROUP_MEMBERS, GROUPS
from metrics.declarations import Selection, declared
from metrics.groups import (
    assess_group_activities,
    assess_members,
    course_rows,
    enrolled_members,
    group_activities,
    group_rows,
    member_rows,
    members_by_activity,
    unserved_activities,
)
from metrics.refusals import accepted
from tests.harness.frames import assert_rows, frame

COURSE, QUIZ = {"id": "c1", "type": "Course"}, {"id": "Q", "type": "Quiz"}
LISTED: list[tuple[Any, ...]] = [
    ("g1", "active", [COURSE, COURSE, QUIZ]),
    ("alone", "active", [COURSE, {"id": "x", "type": "TextBook"}]),
    ("blank", "active", [{"id": " ", "type": "Course"}, {"id": "c1"}, {}]),
    ("inactive", "inactive", [COURSE]),
    ("unknown", None, [COURSE]),
    ("none", "active", None),
]
MEMBERS = [
    *(("g1", user, "active") for user in ("u1", "u2", "u3", "left")),
    ("g1", "u9", "inactive"),
    ("g1", "u8", None),
    ("inactive", "u1", "active"),
]
OF_GROUPS = declared("group_activity_agg", Selection(("completion", "scores", "groups")))
COMPLETION = declared("group_activity_agg", Selection(("completion",)))
CATALOG = [("cb:b1", "Course", "c1", "c1"), ("cb:b2", "Course", "c1", "c1"), ("cb:b2", "Quiz", "Q", "c1")]
NAMES = ("completed", "completionPercentage", "startedCount", "scorePercentage", "score", "attemptsCount")
LEARNERS = (
    "activity_type string, activity_id string, user_id string, context_id string, entries map<string,double>, "
    + ", ".join(f"{name} double" for name in NAMES)
)
ROWS = [
    ("Course", "c1", "u1", "cb:b1", {"score:Q": 1.0}, 0.0, 90.0, 3.0, None, None, None),
    ("Course", "c1", "u1", "cb:b2", {"score:Q": 2.0}, 1.0, 50.0, 2.0, None, None, None),
    ("Course", "c1", "u2", "cb:b1", None, 0.0, 10.0, 0.0, None, None, None),
    ("Course", "c1", "u9", "cb:b1", None, 1.0, 100.0, 1.0, None, None, None),
    ("Quiz", "Q", "u1", "cb:b2", None, None, None, None, 33.33, 1.0, 2.0),
    ("Quiz", "Q", "u2", "cb:b1", None, None, None, None, 66.66, 2.0, 1.0),
]
MEMBER = "group_id string, activity_type string, activity_id string, user_id string"


@pytest.fixture(scope="module")
def activities(spark: SparkSession) -> DataFrame:
    return group_activities(accepted(assess_group_activities(frame(spark, GROUPS.schema, *LISTED)))).persist()


@pytest.fixture(scope="module")
def members(spark: SparkSession, activities: DataFrame) -> DataFrame:
    rows = accepted(assess_members(frame(spark, GROUP_MEMBERS.schema, *MEMBERS)))
    return members_by_activity(activities, rows).filter("user_id IS NOT NULL").persist()


@pytest.fixture(scope="module")
def learners(spark: SparkSession) -> DataFrame:
    return frame(spark, LEARNERS, *ROWS)


@pytest.fixture(scope="module")
def best(members: DataFrame, learners: DataFrame) -> DataFrame:
    return member_rows(members, learners, NAMES).persist()


@pytest.fixture(scope="module")
def enrolled(spark: SparkSession, activities: DataFrame, members: DataFrame, learners: DataFrame) -> DataFrame:
    catalog = frame(spark, "context_id string, activity_type string, activity_id string, course_id string", *CATALOG)
    return enrolled_members(members, course_rows(activities, catalog), learners).persist()


def test_active_groups_have_their_activities_of_known_types_once_each(activities: DataFrame) -> None:
    assert_rows(
        activities, "group_id string, activity_type string, activity_id string",
        ("alone", "Course", "c1"), ("g1", "Course", "c1"), ("g1", "Quiz", "Q"),
    )  # fmt: skip


def test_an_activity_without_id_or_type_is_refused(spark: SparkSession) -> None:
    rows = assess_group_activities(frame(spark, GROUPS.schema, *LISTED[:3])).filter("problem IS NOT NULL")
    assert_rows(rows, "group_id string, problem string", *[("blank", "missing_key")] * 3)


@pytest.mark.parametrize("status", ["active", "inactive", None])
def test_a_group_without_id_is_refused_whatever_is_left_of_it(spark: SparkSession, status: str | None) -> None:
    lists: list[Any] = [[COURSE], None, []]
    rows = assess_group_activities(frame(spark, GROUPS.schema, *((None, status, listed) for listed in lists)))
    assert [row.problem for row in rows.collect()] == ["missing_key"] * len(lists)


def test_a_member_without_user_is_refused(spark: SparkSession) -> None:
    rows = [("g1", " ", "active"), (None, "u1", "active"), ("g1", "u1", "inactive")]
    found = assess_members(frame(spark, GROUP_MEMBERS.schema, *rows))
    assert_rows(found, "user_id string, problem string", (" ", "missing_key"), ("u1", "missing_key"), ("u1", None))


def test_only_active_members_of_active_groups_are_members_of_their_activities(members: DataFrame) -> None:
    users = ("left", "u1", "u2", "u3")
    assert_rows(
        members, MEMBER,
        *(("g1", "Course", "c1", user) for user in users), *(("g1", "Quiz", "Q", user) for user in users),
    )  # fmt: skip


def test_a_member_has_the_metrics_and_entries_of_the_best_context_and_without_any_no_row(best: DataFrame) -> None:
    assert_rows(
        best,
        "activity_id string, user_id string, entries map<string,double>, completed double, "
        "completionPercentage double, scorePercentage double",
        ("c1", "u1", {"score:Q": 2.0}, 1.0, 50.0, None),
        ("c1", "u2", None, 0.0, 10.0, None),
        ("Q", "u1", None, None, None, 33.33),
        ("Q", "u2", None, None, None, 66.66),
    )


def test_enrolled_in_a_unit_or_quiz_is_who_has_a_row_of_the_owning_course_where_it_owns(enrolled: DataFrame) -> None:
    """u2 has no row of c1 in b2, the only context of which the catalog says that Q is in it."""
    assert_rows(enrolled, MEMBER, ("g1", "Quiz", "Q", "u1"))


def test_a_group_counts_its_members_also_where_nobody_is_in_it(
    activities: DataFrame, members: DataFrame, enrolled: DataFrame, best: DataFrame
) -> None:
    found = group_rows(activities, members, enrolled, best, OF_GROUPS)
    assert_rows(
        found,
        "group_id string, activity_id string, memberCount double, enrolledCount double, completedCount double, "
        "completionPercentage double, startedCount double, reached25Count double, reached50Count double",
        ("g1", "c1", 4.0, 2.0, 1.0, 50.0, 1.0, 1.0, 1.0),
        ("g1", "Q", 4.0, 1.0, 2.0, 100.0, 2.0, 2.0, 1.0),
        ("alone", "c1", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    )


def test_a_group_adds_up_the_attempts_and_percentages_of_a_quiz_and_of_nothing_else(
    activities: DataFrame, members: DataFrame, enrolled: DataFrame, best: DataFrame
) -> None:
    found = group_rows(activities, members, enrolled, best, OF_GROUPS).filter("group_id = 'g1'")
    assert_rows(
        found,
        "activity_id string, attemptsCount double, scorePercentageSum double, averageScorePercentage double",
        ("Q", 3.0, 99.99, 49.99),
        ("c1", None, None, None),
    )


def test_of_families_that_are_off_a_group_has_no_metric(
    activities: DataFrame, members: DataFrame, enrolled: DataFrame, best: DataFrame
) -> None:
    found = group_rows(activities, members, enrolled, best, COMPLETION)
    assert found.columns[3:] == ["memberCount", "enrolledCount", "completedCount", "completionPercentage"]


def test_words_for_a_course_mean_it_in_any_case_and_stand_as_they_are_listed(spark: SparkSession) -> None:
    listed = frame(
        spark, "group_id string, activity_type string, activity_id string, problem string",
        ("g1", "TextBook", "x", None), ("g1", "COURSE", "x", None), ("g1", "Course", "x", None),
        ("g1", "Quiz", "Q", None), ("g1", "Resource", "r", None),
    )  # fmt: skip
    assert_rows(
        group_activities(listed, ["textbook"]), "activity_type string, activity_id string, meant string",
        ("TextBook", "x", "Course"), ("COURSE", "x", "Course"), ("Course", "x", "Course"), ("Quiz", "Q", "Quiz"),
    )  # fmt: skip
    counts = listed.agg(unserved_activities(["textbook"]).alias("some"), unserved_activities().alias("all"))
    assert counts.first() == (1, 2)


MEANT = f"{MEMBER}, meant string"
SERVING = (
    "activity_type string, activity_id string, user_id string, context_id string, entries map<string,double>, "
    "completed double, completionPercentage double, scorePercentage double, score double"
)


def test_a_course_is_served_by_its_units_rows_too_and_at_equality_by_its_own(spark: SparkSession) -> None:
    members = frame(
        spark, MEANT, ("g1", "TextBook", "n1", "better nested", "Course"), ("g1", "TextBook", "n1", "equal", "Course"),
        ("g1", "CourseUnit", "n1", "as a unit", "CourseUnit"),
    )  # fmt: skip
    learners = frame(
        spark, SERVING,
        ("Course", "n1", "better nested", "cb:b1", {"own": 1.0}, 0.0, 50.0, None, None),
        ("CourseUnit", "n1", "better nested", "cb:b2", {"nested": 1.0}, 0.0, 60.0, None, None),
        ("Course", "n1", "equal", "cb:b1", {"own": 1.0}, 0.0, 50.0, None, None),
        ("CourseUnit", "n1", "equal", "cb:b1", {"nested": 1.0}, 0.0, 50.0, None, None),
        ("Course", "n1", "as a unit", "cb:b1", {"own": 1.0}, 1.0, 100.0, None, None),
    )  # fmt: skip
    assert_rows(
        member_rows(members, learners, ["completed"]),
        "activity_type string, user_id string, entries map<string,double>",
        ("TextBook", "better nested", {"nested": 1.0}), ("TextBook", "equal", {"own": 1.0}),
    )  # fmt: skip


def test_a_quiz_held_in_a_group_counts_in_this_group_alone_and_every_member_is_in_it(spark: SparkSession) -> None:
    activities = frame(
        spark, "group_id string, activity_type string, activity_id string, meant string",
        ("g1", "Quiz", "Q", "Quiz"), ("g2", "Quiz", "Q", "Quiz"),
    )  # fmt: skip
    members = frame(
        spark, MEANT, ("g1", "Quiz", "Q", "u1", "Quiz"), ("g1", "Quiz", "Q", "u2", "Quiz"),
        ("g2", "Quiz", "Q", "u1", "Quiz"),
    )  # fmt: skip
    learners = frame(spark, SERVING, ("Quiz", "Q", "u1", "g:g1", None, None, None, 50.0, 1.0))
    rows = member_rows(members, learners, ["scorePercentage", "completed"])
    assert_rows(rows, "group_id string, user_id string, scorePercentage double", ("g1", "u1", 50.0))
    held = frame(spark, "group_id string, activity_id string", ("g1", "Q"))
    enrolled = frame(spark, MEMBER, ("g1", "Quiz", "Q", "u1"))
    found = group_rows(activities, members, enrolled, rows, COMPLETION, held)
    assert_rows(found, "group_id string, memberCount double, enrolledCount double", ("g1", 2.0, 2.0), ("g2", 1.0, 0.0))
