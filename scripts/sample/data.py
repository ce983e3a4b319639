"""The sample: about 3,000 learners, ten courses and a few groups; the same rows in every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from scripts.sample.courses import Course, sample_courses
from scripts.sample.groups import group_attempts, groups, members
from scripts.sample.ids import attempt_id, batch_id, certificate_id, user_id
from scripts.sample.times import START, days, minutes

LEARNERS = 3000
ENROLMENT_DAYS = 42  # from the beginning of a batch
OF_OLD, OPEN_ENDED = "First aid", "Digital citizenship"  # courses
FIRST_NAMES = ["Asha", "Bilal", "Chitra", "Dev", "Esther", "Farid", "Gita", "Hana", "Imran", "Jaya", "Kiran", "Leela"]
LAST_NAMES = ["Bose", "Das", "Fernandes", "Iyer", "Khan", "Mehta", "Nair", "Patel", "Rao", "Singh"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Enrolment:
    learner: int
    course: Course
    batch: str
    opened: datetime  # when the batch began
    active: bool
    done: int  # how many of the course's leaves, in their order
    started: bool  # the next one

    @property
    def key(self) -> Row:
        return {"userid": user_id(self.learner), "courseid": self.course.course_id, "batchid": self.batch}

    @property
    def reached(self) -> int:
        """How many leaves the learner has seen."""
        return self.done + self.started

    @property
    def begun(self) -> datetime:
        """Within six weeks, and more of them early; at some time between eight in the morning and eight at night."""
        day = min(self.learner % ENROLMENT_DAYS, self.learner // ENROLMENT_DAYS % ENROLMENT_DAYS)
        return self.opened + days(day) + minutes(8 * 60 + self.learner * 7 % (12 * 60))

    def met(self, position: int) -> datetime:
        """When the learner was at this leaf: one after the other, some learners three a day, some one in two days."""
        return self.begun + minutes(position * 60 * (8 + self.learner % 40))

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
        "courses.timespent": [timespent(each) for each in enrolments if each.reached],
        "groups.group_member": list(members()),
        "groups.group_attempts": list(group_attempts(Random(11))),
        "groups.group": list(groups()),
    }


def enrolled(courses: list[Course], random: Random) -> Iterator[Enrolment]:
    """Of each batch a fifth have not begun, a quarter have finished, and one in twenty has left."""
    for course in courses:
        for number in range(course.batches):
            batch, opened = batch_id(course.name, number), begins(number)
            for learner in sorted(random.sample(range(LEARNERS), course.learners)):
                mood = random.random()
                total = len(course.leaves)
                done = 0 if mood < 0.2 else total if mood > 0.75 else random.randrange(total + 1)
                is_active, is_curious = random.random() >= 0.05, mood >= 0.2 and done < total
                yield Enrolment(learner, course, batch, opened, is_active, done, is_curious)


def hierarchies(courses: list[Course]) -> Iterator[Row]:
    for course in courses:
        if course.tree is not None:
            yield {"identifier": course.course_id, "hierarchy": json.dumps(course.tree)}


def begins(number: int) -> datetime:
    """When a course's batch of this number begins: one quarter after the other."""
    return START + days(91 * number)


def batches(courses: list[Course]) -> Iterator[Row]:
    """Batches of half a year; those of one course have their dates as texts, as they were, one batch has no end."""
    for course in courses:
        for number in range(course.batches):
            opened = begins(number)
            ends = None if course.name == OPEN_ENDED else opened + days(182)
            is_old = course.name == OF_OLD
            yield {
                "courseid": course.course_id,
                "batchid": batch_id(course.name, number),
                "name": f"{course.name}, batch {number + 1}",
                "start_date": None if is_old else opened,
                "end_date": None if is_old else ends,
                "startdate": opened.date().isoformat() if is_old else None,
                "enddate": ends.date().isoformat() if is_old and ends else None,
                "status": 1,
            }


def user(number: int) -> Row:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    name = f"{first.lower()}.{last.lower()}{number}"
    return {"id": user_id(number), "firstname": first, "lastname": last, "username": name, "status": 1}


def enrolment_row(enrolment: Enrolment) -> Row:
    completed_on = enrolment.met(enrolment.done - 1) + minutes(60) if enrolment.is_finished else None
    return {
        **enrolment.key,
        "active": enrolment.active,
        "status": 2 if enrolment.is_finished else 1 if enrolment.reached else 0,
        "enrolled_date": enrolment.begun,
        "completedon": completed_on,
        "lastcontentaccesstime": enrolment.met(enrolment.reached - 1) if enrolment.reached else None,
        "issued_certificates": [certificate(enrolment, completed_on)]
        if completed_on and enrolment.learner % 8
        else None,
    }


def certificate(enrolment: Enrolment, issued_on: datetime) -> dict[str, str]:
    """Issued to most who have finished."""
    return {
        "identifier": certificate_id(f"{enrolment.learner} {enrolment.batch}"),
        "name": enrolment.course.name,
        "lastIssuedOn": issued_on.isoformat(),
    }


def timespent(enrolment: Enrolment) -> Row:
    """Some minutes for each leaf, of learners who have seen any."""
    seconds = enrolment.reached * (240 + enrolment.learner % 600) + 0.25
    names = {"userid": "user_id", "courseid": "course_id", "batchid": "batch_id"}
    return {names[name]: value for name, value in enrolment.key.items()} | {"seconds": seconds}


def progress_rows(enrolment: Enrolment) -> Iterator[Row]:
    for position, content in enumerate(enrolment.course.leaves[: enrolment.reached]):
        is_done = position < enrolment.done
        yield {
            **enrolment.key,
            "contentid": content,
            "status": 2 if is_done else 1,
            "progress": 100 if is_done else 40,
            "viewcount": 1 + enrolment.learner % 3,
            "last_access_time": enrolment.met(position),
            "last_completed_time": enrolment.met(position) if is_done else None,
            "last_updated_time": enrolment.met(position),
        }


def attempts(enrolments: list[Enrolment], random: Random) -> Iterator[Row]:
    """One to three attempts at every quiz that a learner has done; some were opened and not submitted."""
    number = 0
    for enrolment in enrolments:
        for position, content in enumerate(enrolment.course.leaves[: enrolment.done]):
            for again in range(random.randint(1, 3) if content in enrolment.course.quizzes else 0):
                number += 1
                yield {
                    "course_id": enrolment.course.course_id,
                    "batch_id": enrolment.batch,
                    "user_id": user_id(enrolment.learner),
                    "content_id": content,
                    "attempt_id": attempt_id(number),
                    "total_score": None if number % 50 == 0 else random.randrange(0, 21) / 2,
                    "total_max_score": 10.0,
                    "last_attempted_on": enrolment.met(position) + minutes(20 * again),
                }
