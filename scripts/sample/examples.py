"""Which learner, course and group of the sample are shown: the same in every run, and such that they say something."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.names import BATCH_CONTEXT, COURSE
from scripts.sample.courses import sample_courses
from scripts.sample.groups import GROUPS
from scripts.sample.ids import batch_id, do_id, group_id
from scripts.sample.stored import Activity, Stored


@dataclass(frozen=True)
class CourseInBatch:
    """The course with most enrolments, in that of its batches that has most."""

    course: Activity
    batch: str

    @property
    def context(self) -> str:
        return BATCH_CONTEXT + self.batch


def chosen_course(stored: Stored) -> CourseInBatch | None:
    """None where no course of the sample has been computed."""
    most, chosen = 0.0, None
    for each in sample_courses():
        course = Activity(COURSE, each.course_id, each.name)
        batches = [batch_id(each.name, number) for number in range(each.batches)]
        counts = {batch: stored.of_activity(course, BATCH_CONTEXT + batch) or {} for batch in batches}
        enrolled = {batch: agg.get("enrolledCount", 0.0) for batch, agg in counts.items()}
        if sum(enrolled.values()) > most:
            most, largest = sum(enrolled.values()), max(batches, key=lambda batch: enrolled[batch])
            chosen = CourseInBatch(stored.activity(course.type, course.id), largest)
    return chosen


def chosen_group(course: Activity) -> str | None:
    """The name of an active group that lists the course: the one that comes first."""
    listing = (name for name, status, courses, *_ in GROUPS if status == "active" and course.id in map(do_id, courses))
    return next(listing, None)


def chosen_learner(stored: Stored, group: str, chosen: CourseInBatch) -> str | None:
    """The member of the group whose row in that batch has most to say; None where none is enrolled in it."""
    rows = {
        learner: stored.of_learner(chosen.course, learner, chosen.context)
        for learner in sorted(stored.of_members(group_id(group), chosen.course))
    }
    enrolled = {learner: len(agg) for learner, agg in rows.items() if agg}
    return max(enrolled, key=lambda learner: enrolled[learner], default=None)
