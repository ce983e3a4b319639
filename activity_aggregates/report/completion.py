"""How far the courses are completed, as it is stored now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from activity_aggregates import settings

_COURSE = "Course"
_MOST_ROWS = 200_000  # of activity_agg, about 20 s of reading
_FETCH_SIZE = 1000


@dataclass(frozen=True)
class CourseCompletion:
    """Enrolments of a course in all its contexts, and how many of them are completed; `name` is its id if unnamed."""

    course_id: str
    name: str
    enrolled: int
    completed: int

    @property
    def percentage(self) -> float:
        """Completed of enrolled, 0..100; 0 when nobody is enrolled."""
        return self.completed * 100 / self.enrolled if self.enrolled else 0.0


@dataclass(frozen=True)
class Completion:
    """The courses with most enrolments, of `courses` that were found; not all were, unless `is_whole`."""

    largest: tuple[CourseCompletion, ...]
    courses: int
    is_whole: bool


def completion_by_course(session: Session, target: settings.Target, most: int) -> Completion:
    """Page through activity_agg, up to a bound, and keep two sums per course."""
    columns = f"activity_type, activity_id, {target.columns.agg}"
    statement = SimpleStatement(
        f"SELECT {columns} FROM {target.keyspace}.{target.tables['activity_agg']} LIMIT {_MOST_ROWS}",
        fetch_size=_FETCH_SIZE,
    )
    enrolled: Counter[str] = Counter()
    completed: Counter[str] = Counter()
    rows = 0
    for kind, course, agg in session.execute(statement):
        rows += 1
        if kind == _COURSE and agg:
            enrolled[course] += int(agg.get("enrolledCount", 0))
            completed[course] += int(agg.get("completedCount", 0))
    names = _names(session, target, [course for course, _ in enrolled.most_common(most)])
    largest = tuple(
        CourseCompletion(course, name, enrolled[course], completed[course]) for course, name in names.items()
    )
    return Completion(largest, len(enrolled), rows < _MOST_ROWS)


def _names(session: Session, target: settings.Target, courses: list[str]) -> dict[str, str]:
    """What activity_metadata calls each course, or its id."""
    table = f"{target.keyspace}.{target.tables['activity_metadata']}"
    named = session.prepare(f"SELECT metadata FROM {table} WHERE activity_type = ? AND activity_id = ?")
    found = {course: session.execute(named, [_COURSE, course]).one() for course in courses}
    return {course: (row.metadata or {}).get("name") or course if row else course for course, row in found.items()}
