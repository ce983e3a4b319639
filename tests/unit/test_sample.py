"""The sample: the same rows every time, and what the tables made of it need to have something to show."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import pytest

from scripts.sample.courses import QUESTION, QUIZ, leaves_of, quiz, unit
from scripts.sample.data import Row, tables
from scripts.sample.ids import do_id
from scripts.sample.show import share, wrapped
from scripts.sample.stored import Activity


@pytest.fixture(scope="module")
def sample() -> Any:
    return tables()


def of_enrolment(row: Row) -> tuple[str, str]:
    return row["userid"], row["batchid"]


def test_every_run_has_the_same_rows(sample: Any) -> None:
    assert tables() == sample


def test_a_question_set_is_one_leaf_and_has_its_questions_in_the_tree() -> None:
    tree = unit("A unit", quiz("A quiz"))
    section = tree["children"][0]["children"][0]
    assert leaves_of(tree) == {do_id("A quiz"): QUIZ}
    assert [question["mimeType"] for question in section["children"]] == [QUESTION] * 3


def test_learners_of_a_batch_enrol_over_six_weeks(sample: Any) -> None:
    days: dict[str, set[date]] = defaultdict(set)
    for row in sample["courses.user_enrolments"]:
        days[row["batchid"]].add(row["enrolled_date"].date())
    spans = [(max(found) - min(found)).days for found in days.values()]
    assert len(spans) == 15
    assert all(28 < span < 42 for span in spans)


def test_a_course_is_completed_after_its_last_content_and_within_its_batch(sample: Any) -> None:
    last: dict[tuple[str, str], Any] = {}
    for row in sample["courses.user_content_consumption"]:
        last[of_enrolment(row)] = max(row["last_access_time"], last.get(of_enrolment(row), row["last_access_time"]))
    ends = {row["batchid"]: row["end_date"] for row in sample["courses.course_batch"]}
    completed = [row for row in sample["courses.user_enrolments"] if row["completedon"]]
    assert all(row["enrolled_date"] <= last[of_enrolment(row)] < row["completedon"] for row in completed)
    assert all(row["completedon"] <= ends[row["batchid"]] for row in completed if ends[row["batchid"]])


def test_most_who_completed_have_a_certificate_and_nobody_else(sample: Any) -> None:
    enrolments = sample["courses.user_enrolments"]
    completed = [row for row in enrolments if row["completedon"]]
    certified = [row for row in enrolments if row["issued_certificates"]]
    assert all(row["completedon"] for row in certified)
    assert len(completed) * 0.8 < len(certified) < len(completed)


def test_what_is_shown_breaks_between_metrics_only() -> None:
    texts = ["startedCount 3", "completionPercentage 62.5 %"] * 3
    assert wrapped(texts) == [
        "startedCount 3, completionPercentage 62.5 %, startedCount 3, completionPercentage 62.5 %,",
        "startedCount 3, completionPercentage 62.5 %",
    ]


def test_a_member_without_a_row_is_told_from_one_who_is_at_nothing() -> None:
    course, taken = Activity("Course", "c1", "Chemistry"), Activity("Quiz", "q1", "Acids")
    assert share((course, {"u1": {"completionPercentage": 0.0}}), "u1") == "0 %"
    assert share((course, {"u1": {"completionPercentage": 0.0}}), "u2") == "-"
    assert share((taken, {"u1": {"scorePercentage": 62.5}}), "u1") == "62.5 %"
