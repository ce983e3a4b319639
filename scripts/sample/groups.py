"""The groups of the sample: their activities, their members, and the quizzes that were held inside of them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from scripts.sample.ids import attempt_id, do_id, group_id, user_id
from scripts.sample.times import START, days, minutes

Row = dict[str, Any]

# Name, status, courses, and the first and last learner among the members.
GROUPS = [
    ("Evening class", "active", ["Foundations of literacy", "First aid"], 0, 40),
    ("Teachers of the north", "active", ["Teaching languages", "Foundations of literacy"], 30, 150),
    ("Science club", "active", ["Chemistry in class ten", "Keeping a school garden"], 500, 525),
    ("Class of last year", "inactive", ["First aid"], 100, 130),
]

# A quiz of the group's own, which no course has.
HELD_INSIDE = [("Evening class", "Quiz: what we know already"), ("Science club", "Quiz: the elements")]


def groups() -> Iterator[Row]:
    for name, status, courses, first, _ in GROUPS:
        activities = [{"type": "Course", "id": do_id(course)} for course in courses]
        if name == "Science club":
            activities += [{"type": "CourseUnit", "id": do_id("Salts")}, {"type": "Quiz", "id": do_id("Quiz: salts")}]
        activities += [{"type": "Quiz", "id": do_id(quiz)} for group, quiz in HELD_INSIDE if group == name]
        yield {
            "id": group_id(name),
            "name": name,
            "status": status,
            "activities": activities,
            "createdby": user_id(first),
            "createdon": START,
        }


def members() -> Iterator[Row]:
    for name, _, _, first, last in GROUPS:
        for learner in range(first, last):
            yield {
                "groupid": group_id(name),
                "userid": user_id(learner),
                "status": "inactive" if learner % 10 == 9 else "active",
                "role": "admin" if learner == first else "member",
            }


def group_attempts(random: Random) -> Iterator[Row]:
    """One or two attempts of two thirds of the members, in the evenings of a week."""
    number = 0
    for name, quiz in HELD_INSIDE:
        first, last = next((first, last) for group, _, _, first, last in GROUPS if group == name)
        for learner in range(first, last):
            for _ in range(random.randint(1, 2) if learner % 3 else 0):
                number += 1
                yield {
                    "group_id": group_id(name),
                    "content_id": do_id(quiz),
                    "user_id": user_id(learner),
                    "attempt_id": attempt_id(-number),
                    "total_score": float(random.randrange(0, 6)),
                    "total_max_score": 5.0,
                    "last_attempted_on": START + days(learner % 5) + minutes(18 * 60 + number),
                }
