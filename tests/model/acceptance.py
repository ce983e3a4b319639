"""Which source rows count, and why the others do not."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tests.model.courses import Course, Reason
from tests.model.rows import Attempt, Enrolment, Place, Progress, is_blank


class Learning(NamedTuple):
    """All rows of one enrolment key, merged."""

    is_active: bool
    status: int
    is_dated: bool


Contents = dict[Place, dict[str, int]]
Attempts = dict[Place, dict[str, list[Attempt]]]
Courses = dict[str, Course | Reason]


class Enrolments(NamedTuple):
    """Those that count, and the keys of those in retired courses."""

    by_place: dict[Place, Learning]
    retired: set[Place]


def accept_enrolments(rows: Iterable[Enrolment], courses: Courses, counts: Counter[str]) -> Enrolments:
    accepted: dict[Place, list[Enrolment]] = defaultdict(list)
    retired: set[Place] = set()
    for row in rows:
        place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
        reason = enrolment_problem(row, courses)
        if reason == "retired":
            counts["counted.retired"] += 1
            retired.add(place)
        elif reason:
            counts[f"refused.{reason}"] += 1
        else:
            accepted[place].append(row)
    by_place = {
        place: Learning(
            is_active=any(row.active is not False for row in same),
            status=max(row.status or 0 for row in same),
            is_dated=any(row.completed_on is not None for row in same),
        )
        for place, same in accepted.items()
    }
    return Enrolments(by_place, retired)


def enrolment_problem(row: Enrolment, courses: Courses) -> Reason | None:
    if any(is_blank(key) for key in row[:3]):
        return "missing_key"
    if row.status not in (None, 0, 1, 2):
        return "invalid_status"
    course = courses.get(str(row.course_id), "missing_hierarchy")
    return course if isinstance(course, str) else None


def accept_progress(
    rows: Iterable[Progress], enrolments: Enrolments, courses: Courses, counts: Counter[str]
) -> Contents:
    """The highest status of each leaf of the course that a learner of the context has touched."""
    accepted: Contents = defaultdict(dict)
    for row in rows:
        if reason := progress_problem(row, enrolments, courses):
            counts[reason] += 1
        else:
            place, content = Place(str(row.user_id), str(row.course_id), str(row.batch_id)), str(row.content_id)
            accepted[place][content] = max(row.status or 0, accepted[place].get(content, 0))
    return accepted


def progress_problem(row: Progress, enrolments: Enrolments, courses: Courses) -> Reason | None:
    if any(is_blank(key) for key in row[:4]):
        return "refused.progress.missing_key"
    if row.status not in (None, 0, 1, 2):
        return "refused.progress.invalid_status"
    place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
    if place in enrolments.retired:
        return "counted.retired_progress"
    if place not in enrolments.by_place:
        return "counted.orphan_progress"
    if not enrolments.by_place[place].is_active:
        return "counted.inactive_enrolment"
    course = courses.get(place.course_id)
    if isinstance(course, Course) and row.content_id not in course.leaves():
        return "counted.foreign_content"
    return None


def accept_attempts(rows: Iterable[Attempt], enrolments: Enrolments, counts: Counter[str]) -> Attempts:
    """The attempts of everybody with an enrolment row, active or not."""
    accepted: Attempts = defaultdict(lambda: defaultdict(list))
    for row in rows:
        place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
        if any(is_blank(key) for key in row[:5]):
            counts["refused.attempts.missing_key"] += 1
        elif not (is_score(row.total_score) and is_score(row.total_max_score)):
            counts["refused.attempts.invalid_score"] += 1
        elif place in enrolments.retired:
            counts["counted.retired_attempts"] += 1
        elif place not in enrolments.by_place:
            counts["counted.orphan_attempts"] += 1
        else:
            counts["counted.inactive_attempts"] += not enrolments.by_place[place].is_active
            accepted[place][str(row.content_id)].append(row)
    return accepted


def is_score(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0
