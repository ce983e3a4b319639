"""The whole model: sources and stored rows in, target tables out."""

from collections import Counter, defaultdict

from tests.model.acceptance import (
    Attempts,
    Courses,
    Enrolments,
    Learning,
    accept_attempts,
    accept_enrolments,
    accept_group_attempts,
    accept_progress,
    accept_timespent,
)
from tests.model.activities import day_rows, of_learners, summary
from tests.model.courses import Course, read_course
from tests.model.groups import Groups, active_members, group_activities, held_quizzes
from tests.model.learners import Learners
from tests.model.rows import Metrics, Place, Settings, Source
from tests.model.tables import ActivityKey, CatalogKey, Tables, UserKey, own_tables, with_foreign_entries

Catalog = dict[CatalogKey, str]


def model(source: Source, settings: Settings | None = None, before: Tables | None = None) -> Tables:
    """What a full run over the source leaves where `before` was stored."""
    settings, before, counts = settings or Settings(), before or Tables(), Counter[str]()
    all_courses: Courses = {key: read_course(key, text) for key, text in source.hierarchies.items()}
    courses = {key: course for key, course in all_courses.items() if isinstance(course, Course)}
    accepted = accept_enrolments(source.enrolments, all_courses, counts)
    contents = accept_progress(source.progress, accepted, all_courses, counts)
    attempts = accept_attempts(source.attempts, accepted, counts)
    timespent = accept_timespent(source.timespent, counts)
    left = of_unsettled_courses(own_tables(before, settings), accepted.unsettled)
    catalog = owners(accepted.by_place, courses, attempts, counts) | left.activity_catalog

    learners = Learners(accepted.by_place, courses, contents, attempts, timespent, catalog, settings).rows()
    activities = activity_rows(catalog, accepted, courses, learners, settings)
    held, members = accept_group_attempts(source, counts), active_members(source, counts)
    held_by_learners, held_activities = held_quizzes(held, members, settings)
    stored = learners | left.activity_user_agg | held_by_learners
    listed = group_activities(source.groups, settings, counts)
    of_groups, of_members = Groups(stored, catalog, members, held, settings, before.activity_user_agg).rows(listed)
    computed = Tables(
        activity_user_agg=stored,
        activity_agg=activities | left.activity_agg | held_activities,
        group_activity_agg=of_groups,
        group_activity_user_agg=of_members,
        activity_day_agg=day_rows(learners.items(), settings) | left.activity_day_agg,
        activity_catalog=catalog,
        counts=counts,
    )
    return with_foreign_entries(computed, before, settings)


def of_unsettled_courses(before: Tables, unsettled: set[str]) -> Tables:
    """The rows that stay as they are: those of the courses, and of what the catalog gives to them."""

    def stays(context_id: str, activity_type: str, activity_id: str) -> bool:
        if activity_type == "Course":
            return activity_id in unsettled
        return before.activity_catalog.get(CatalogKey(context_id, activity_type, activity_id)) in unsettled

    return Tables(
        activity_user_agg={
            key: row for key, row in before.activity_user_agg.items() if stays(key.context_id, *key[:2])
        },
        activity_agg={key: row for key, row in before.activity_agg.items() if stays(key.context_id, *key[:2])},
        activity_day_agg={key: row for key, row in before.activity_day_agg.items() if stays(key.context_id, *key[:2])},
        activity_catalog={key: course for key, course in before.activity_catalog.items() if course in unsettled},
    )


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


def activity_rows(
    catalog: Catalog,
    enrolments: Enrolments,
    courses: dict[str, Course],
    rows: dict[UserKey, Metrics],
    settings: Settings,
) -> dict[ActivityKey, Metrics]:
    activities = {}
    for (context_id, activity_type, activity_id), course_id in catalog.items():
        if course_id in enrolments.unsettled:
            continue
        key = ActivityKey(activity_type, activity_id, context_id)
        learners = {
            place.user_id
            for place, learning in enrolments.by_place.items()
            if learning.is_active and (place.course_id, place.context_id) == (course_id, context_id)
        }
        unit = activity_id if activity_type == "CourseUnit" else None
        leaf_nodes = len(courses[course_id].required(unit))
        activities[key] = summary(activity_type, of_learners(rows, key), len(learners), leaf_nodes, settings)
    return activities
