"""The sample: about 3,000 learners, ten courses and a few groups; the same rows in every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from scripts.sample.courses import Course, sample_courses
from scripts.sample.ids import attempt_id, batch_id, do_id, group_id, user_id

LEARNERS = 3000
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
FIRST_NAMES = ["Asha", "Bilal", "Chitra", "Dev", "Esther", "Farid", "Gita", "Hana", "Imran", "Jaya", "Kiran", "Leela"]
LAST_NAMES = ["Bose", "Das", "Fernandes", "Iyer", "Khan", "Mehta", "Nair", "Patel", "Rao", "Singh"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Enrolment:
    learner: int
    course: Course
    batch: str
    active: bool
    done: int  # how many of the course's leaves, in their order
    started: bool  # the next one

    @property
    def key(self) -> Row:
        return {"userid": user_id(self.learner), "courseid": self.course.course_id, "batchid": self.batch}

    @property
    def is_finished(self) -> bool:
        return self.done > 0 and self.done == len(self.course.leaves)


def tables() -> dict[str, list[Row]]:
    """All rows by `<keyspace of sources.cql>.<table>`; the last table tells whether the sample is complete."""
    courses = sample_courses()
    enrolments = list(enrolled(courses, Random(2026)))
    return {
        "hierarchies.content_hierarchy": list(hierarchies(courses)),
        "users.user": [user(number) for number in range(LEARNERS)],
        "courses.course_batch": list(batches(courses)),
        "courses.user_enrolments": [enrolment_row(each) for each in enrolments],
        "courses.user_content_consumption": [row for each in enrolments for row in progress_rows(each)],
        "courses.assessment_aggregator": list(attempts(enrolments, Random(7))),
        "groups.group_member": list(members()),
        "groups.group": list(groups()),
    }


def enrolled(courses: list[Course], random: Random) -> Iterator[Enrolment]:
    """Of each batch a fifth have not begun, a quarter have finished, and one in twenty has left."""
    for course in courses:
        for number in range(course.batches):
            batch = batch_id(course.name, number)
            for learner in sorted(random.sample(range(LEARNERS), course.learners)):
                mood = random.random()
                total = len(course.leaves)
                done = 0 if mood < 0.2 else total if mood > 0.75 else random.randrange(total + 1)
                is_active, is_curious = random.random() >= 0.05, mood >= 0.2 and done < total
                yield Enrolment(learner, course, batch, is_active, done, is_curious)


def hierarchies(courses: list[Course]) -> Iterator[Row]:
    for course in courses:
        if course.tree is not None:
            yield {"identifier": course.course_id, "hierarchy": json.dumps(course.tree)}


def batches(courses: list[Course]) -> Iterator[Row]:
    """Batches of half a year, one quarter after the other."""
    for course in courses:
        for number in range(course.batches):
            begins = START + timedelta(days=91 * number)
            yield {
                "courseid": course.course_id,
                "batchid": batch_id(course.name, number),
                "name": f"{course.name}, batch {number + 1}",
                "startdate": begins.date().isoformat(),
                "enddate": (begins + timedelta(days=182)).date().isoformat(),
                "status": 1,
            }


def user(number: int) -> Row:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    name = f"{first.lower()}.{last.lower()}{number}"
    return {"id": user_id(number), "firstname": first, "lastname": last, "username": name, "status": 1}


def enrolment_row(enrolment: Enrolment) -> Row:
    begun = START + timedelta(minutes=enrolment.learner)
    return {
        **enrolment.key,
        "active": enrolment.active,
        "status": 2 if enrolment.is_finished else 1 if enrolment.done or enrolment.started else 0,
        "enrolled_date": begun,
        "completedon": begun + timedelta(days=30) if enrolment.is_finished else None,
    }


def progress_rows(enrolment: Enrolment) -> Iterator[Row]:
    reached = enrolment.done + enrolment.started
    for position, content in enumerate(enrolment.course.leaves[:reached]):
        is_done = position < enrolment.done
        seen = START + timedelta(days=position, minutes=enrolment.learner)
        yield {
            **enrolment.key,
            "contentid": content,
            "status": 2 if is_done else 1,
            "progress": 100 if is_done else 40,
            "viewcount": 1 + enrolment.learner % 3,
            "last_access_time": seen,
        }


def attempts(enrolments: list[Enrolment], random: Random) -> Iterator[Row]:
    """One to three attempts at every quiz that a learner has done."""
    number = 0
    for enrolment in enrolments:
        for content in enrolment.course.leaves[: enrolment.done]:
            for _ in range(random.randint(1, 3) if content in enrolment.course.quizzes else 0):
                number += 1
                yield {
                    "course_id": enrolment.course.course_id,
                    "batch_id": enrolment.batch,
                    "user_id": user_id(enrolment.learner),
                    "content_id": content,
                    "attempt_id": attempt_id(number),
                    "total_score": random.randrange(0, 21) / 2,
                    "total_max_score": 10.0,
                    "last_attempted_on": START + timedelta(minutes=number),
                }


# Name, status, courses, and the first and last learner among the members.
GROUPS = [
    ("Evening class", "active", ["Foundations of literacy", "First aid"], 0, 40),
    ("Teachers of the north", "active", ["Teaching languages", "Foundations of literacy"], 30, 150),
    ("Science club", "active", ["Chemistry in class ten", "Keeping a school garden"], 500, 525),
    ("Class of last year", "inactive", ["First aid"], 100, 130),
]


def groups() -> Iterator[Row]:
    for name, status, courses, first, _ in GROUPS:
        activities = [{"type": "Course", "id": do_id(course)} for course in courses]
        if name == "Science club":
            activities += [{"type": "CourseUnit", "id": do_id("Salts")}, {"type": "Quiz", "id": do_id("Quiz: salts")}]
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
