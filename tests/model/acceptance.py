"""Which source rows count, and why the others do not."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tests.model.courses import Course, Reason
from tests.model.rows import Attempt, Date, Enrolment, GroupAttempt, Place, Progress, Source, TimeSpent, is_unusable

HELD = 9_200_000_000_000_000  # milliseconds to either side of 1970
MOST_SECONDS = 1e9
FOREIGN = "counted.foreign_content"  # of the learner's activity all the same


class Learning(NamedTuple):
    """All rows of one enrolment key, merged."""

    is_active: bool
    status: int
    completed_on: Date
    enrolled_on: Date
    accessed_on: Date
    is_certified: bool


Courses = dict[str, Course | Reason]
Attempts = dict[Place, dict[str, list[Attempt]]]
GroupAttempts = dict[str, dict[str, dict[str, list[GroupAttempt]]]]  # by group, content and learner


class Contents(NamedTuple):
    """The highest status of each leaf that a learner of a context has touched, and when any content was last."""

    statuses: dict[Place, dict[str, int]]
    accessed_on: dict[Place, int]


class Enrolments(NamedTuple):
    """Those that count, the keys of those in retired courses, and the courses that were refused or are retired."""

    by_place: dict[Place, Learning]
    retired: set[Place]
    unsettled: set[str]


def accept_enrolments(rows: Iterable[Enrolment], courses: Courses, counts: Counter[str]) -> Enrolments:
    accepted: dict[Place, list[Enrolment]] = defaultdict(list)
    retired: set[Place] = set()
    unsettled: set[str] = set()
    for row in rows:
        place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
        if not (is_unusable(row.course_id) or is_unusable(row.batch_id)) and course_problem(row, courses):
            unsettled.add(place.course_id)
        reason = enrolment_problem(row, courses)
        if reason == "retired":
            counts["counted.retired"] += 1
            retired.add(place)
        elif reason:
            counts[f"refused.{reason}"] += 1
        else:
            accepted[place].append(row)
    return Enrolments({place: merged(same) for place, same in accepted.items()}, retired, unsettled)


def merged(rows: list[Enrolment]) -> Learning:
    return Learning(
        is_active=any(row.active is not False for row in rows),
        status=max(row.status or 0 for row in rows),
        completed_on=min((row.completed_on for row in rows if row.completed_on is not None), default=None),
        enrolled_on=min((row.enrolled_on for row in rows if row.enrolled_on is not None), default=None),
        accessed_on=latest(row.accessed_on for row in rows),
        is_certified=any(row.certificates for row in rows),
    )


def latest(dates: Iterable[Date]) -> Date:
    return max((date for date in dates if date is not None), default=None)


def enrolment_problem(row: Enrolment, courses: Courses) -> Reason | None:
    if any(is_unusable(key) for key in row[:3]):
        return "missing_key"
    if row.status not in (None, 0, 1, 2):
        return "invalid_status"
    if not are_dates(row.completed_on, row.enrolled_on, row.accessed_on):
        return "invalid_date"
    return course_problem(row, courses)


def course_problem(row: Enrolment, courses: Courses) -> Reason | None:
    course = courses.get(str(row.course_id), "missing_hierarchy")
    return course if isinstance(course, str) else None


def are_dates(*dates: Date) -> bool:
    return all(date is None or abs(date) <= HELD for date in dates)


def accept_progress(
    rows: Iterable[Progress], enrolments: Enrolments, courses: Courses, counts: Counter[str]
) -> Contents:
    statuses: dict[Place, dict[str, int]] = defaultdict(dict)
    dates: dict[Place, int] = {}
    for row in rows:
        reason = progress_problem(row, enrolments, courses)
        if reason:
            counts[reason] += 1
        if reason not in (None, FOREIGN):
            continue
        place, content = Place(str(row.user_id), str(row.course_id), str(row.batch_id)), str(row.content_id)
        if not reason:
            statuses[place][content] = max(row.status or 0, statuses[place].get(content, 0))
        if row.accessed_on is not None:
            dates[place] = max(row.accessed_on, dates.get(place, row.accessed_on))
    return Contents(statuses, dates)


def progress_problem(row: Progress, enrolments: Enrolments, courses: Courses) -> Reason | None:
    if reason := refused_progress(row):
        return reason
    place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
    if place in enrolments.retired:
        return "counted.retired_progress"
    if place not in enrolments.by_place:
        return "counted.orphan_progress"
    if not enrolments.by_place[place].is_active:
        return "counted.inactive_enrolment"
    course = courses.get(place.course_id)
    if isinstance(course, Course) and row.content_id not in course.leaves():
        return FOREIGN
    return None


def refused_progress(row: Progress) -> Reason | None:
    if any(is_unusable(key) for key in row[:4]):
        return "refused.progress.missing_key"
    if row.status not in (None, 0, 1, 2):
        return "refused.progress.invalid_status"
    return None if are_dates(row.accessed_on) else "refused.progress.invalid_date"


def accept_attempts(rows: Iterable[Attempt], enrolments: Enrolments, counts: Counter[str]) -> Attempts:
    """The attempts of everybody with an enrolment row, active or not."""
    accepted: Attempts = defaultdict(lambda: defaultdict(list))
    for row in rows:
        place = Place(str(row.user_id), str(row.course_id), str(row.batch_id))
        if reason := attempt_problem(row, row[:5], "attempts"):
            counts[reason] += 1
        elif place in enrolments.retired:
            counts["counted.retired_attempts"] += 1
        elif place not in enrolments.by_place:
            counts["counted.orphan_attempts"] += 1
        else:
            counts["counted.inactive_attempts"] += not enrolments.by_place[place].is_active
            accepted[place][str(row.content_id)].append(row)
    return accepted


def accept_group_attempts(source: Source, counts: Counter[str]) -> GroupAttempts:
    """Those in active groups by anyone with a member row, whatever its status."""
    active = {row.group_id for row in source.groups if row.status == "active"}
    members = {(row.group_id, row.user_id) for row in source.group_members}
    accepted: GroupAttempts = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in source.group_attempts:
        if reason := attempt_problem(row, row[:4], "group_attempts"):
            counts[reason] += 1
        elif row.group_id in active and (row.group_id, row.user_id) in members:
            accepted[str(row.group_id)][str(row.content_id)][str(row.user_id)].append(row)
    return accepted


def attempt_problem(row: Attempt | GroupAttempt, key: tuple[object, ...], source: str) -> Reason | None:
    if any(is_unusable(part) for part in key):
        return f"refused.{source}.missing_key"
    if not are_dates(row.last_attempted_on):
        return f"refused.{source}.invalid_date"
    if row.total_score is None and (row.total_max_score is None or is_score(row.total_max_score)):
        return f"counted.open_{source}"
    return None if is_score(row.total_score) and is_score(row.total_max_score) else f"refused.{source}.invalid_score"


def is_score(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0


def accept_timespent(rows: Iterable[TimeSpent], counts: Counter[str]) -> dict[Place, list[float]]:
    accepted: dict[Place, list[float]] = defaultdict(list)
    for row in rows:
        if any(is_unusable(key) for key in row[:3]):
            counts["refused.timespent.missing_key"] += 1
        elif row.seconds is None or not is_score(row.seconds) or row.seconds > MOST_SECONDS:
            counts["refused.timespent.invalid_seconds"] += 1
        else:
            accepted[Place(str(row.user_id), str(row.course_id), str(row.batch_id))].append(row.seconds)
    return accepted
