"""The whole model: sources in, target tables out."""

from collections import Counter, defaultdict
from typing import Literal

from tests.model.acceptance import (
    Attempts,
    Contents,
    Courses,
    Learning,
    accept_attempts,
    accept_enrolments,
    accept_progress,
)
from tests.model.courses import Course, read_course
from tests.model.groups import group_rows
from tests.model.numbers import leaf_counts, quiz_numbers, scores_by_quiz, summary
from tests.model.rows import ActivityKey, CatalogKey, Expected, Metrics, Place, Source, UserKey

Catalog = dict[CatalogKey, str]


def model(
    source: Source, completion: Literal["sticky", "current"] = "sticky", scores_in_course: bool = True
) -> Expected:
    counts: Counter[str] = Counter()
    all_courses: Courses = {key: read_course(key, text) for key, text in source.hierarchies.items()}
    courses = {key: course for key, course in all_courses.items() if isinstance(course, Course)}
    accepted = accept_enrolments(source.enrolments, all_courses, counts)
    enrolments = accepted.by_place
    contents = accept_progress(source.progress, accepted, all_courses, counts)
    attempts = accept_attempts(source.attempts, accepted, counts)
    catalog = owners(enrolments, courses, attempts, counts)

    learner_rows: dict[UserKey, Metrics] = {}
    for place, learning in enrolments.items():
        if learning.is_active:
            course = courses[place.course_id]
            done_earlier = completion == "sticky" and (learning.status == 2 or learning.is_dated)
            scores = scores_by_quiz(attempts.get(place, {})) if scores_in_course else {}
            learner_rows |= course_row(place, course, contents, done_earlier, scores)
            learner_rows |= unit_rows(place, course, contents, catalog)
            learner_rows |= quiz_rows(place, attempts, catalog)
    groups, group_users = group_rows(source, learner_rows, enrolments, catalog, counts)
    activities = activity_rows(catalog, enrolments, courses, learner_rows)
    return Expected(learner_rows, activities, groups, group_users, catalog, counts)


def owners(
    enrolments: dict[Place, Learning], courses: dict[str, Course], attempts: Attempts, counts: Counter[str]
) -> Catalog:
    """The course to which each activity of each context belongs: the smallest of those that contain it."""
    containing: dict[CatalogKey, set[str]] = defaultdict(set)
    for place in enrolments:
        activities = [("Course", place.course_id)]
        activities += [("CourseUnit", unit) for unit in courses[place.course_id].units()]
        activities += [("Quiz", quiz) for quiz in attempts.get(place, {})]
        for activity in activities:
            containing[CatalogKey(place.context_id, *activity)].add(place.course_id)
    counts["counted.shared_context"] += sum(len(candidates) > 1 for candidates in containing.values())
    return {key: min(candidates) for key, candidates in containing.items()}


def course_row(
    place: Place, course: Course, contents: Contents, done_earlier: bool, scores: Metrics
) -> dict[UserKey, Metrics]:
    metrics = leaf_counts(contents.get(place, {}), course.leaves(), course.required())
    if done_earlier:
        metrics["completed"] = 1
    return {UserKey("Course", place.course_id, place.user_id, place.context_id): metrics | scores}


def unit_rows(place: Place, course: Course, contents: Contents, catalog: Catalog) -> dict[UserKey, Metrics]:
    rows = {}
    for unit in course.units():
        metrics = leaf_counts(contents.get(place, {}), course.leaves(unit), course.required(unit))
        belongs_here = catalog[CatalogKey(place.context_id, "CourseUnit", unit)] == place.course_id
        if belongs_here and metrics["startedCount"] >= 1:
            rows[UserKey("CourseUnit", unit, place.user_id, place.context_id)] = metrics
    return rows


def quiz_rows(place: Place, attempts: Attempts, catalog: Catalog) -> dict[UserKey, Metrics]:
    return {
        UserKey("Quiz", quiz, place.user_id, place.context_id): quiz_numbers(taken)
        for quiz, taken in attempts.get(place, {}).items()
        if catalog[CatalogKey(place.context_id, "Quiz", quiz)] == place.course_id
    }


def activity_rows(
    catalog: Catalog, enrolments: dict[Place, Learning], courses: dict[str, Course], rows: dict[UserKey, Metrics]
) -> dict[ActivityKey, Metrics]:
    activities = {}
    for (context_id, activity_type, activity_id), course_id in catalog.items():
        key = ActivityKey(activity_type, activity_id, context_id)
        learners = {
            place.user_id
            for place, learning in enrolments.items()
            if learning.is_active and (place.course_id, place.context_id) == (course_id, context_id)
        }
        taken = [metrics for row, metrics in rows.items() if (row[0], row[1], row[3]) == key]
        unit = activity_id if activity_type == "CourseUnit" else None
        activities[key] = summary(key, learners, taken, leaf_nodes=len(courses[course_id].required(unit)))
    return activities
