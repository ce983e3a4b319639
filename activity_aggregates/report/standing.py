"""How far the courses have come and what the quizzes scored, as it is stored: one bounded pass over activity_agg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nlargest

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.report.names import Activity, names_of
from activity_aggregates.store.connection import reading
from metrics.names import CONTEXTS, COURSE, QUIZ

MOST_ROWS = 200_000  # of activity_agg, about 20 s of reading
_FETCH_SIZE = 1000
# The steps of the funnel, by what they are counted as.
STEPS = {
    "enrolled": "enrolledCount",
    "started": "startedCount",
    "reached 25 %": "reached25Count",
    "reached 50 %": "reached50Count",
    "reached 75 %": "reached75Count",
    "completed": "completedCount",
}
# How quizzes were scored, from the least to the best.
BANDS = ("below 25 %", "25 to 50 %", "50 to 75 %", "75 % and more")
_TAKEN = ("startedCount", "reached25Count", "reached50Count", "reached75Count")

Counts = Mapping[str, float]
Row = tuple[str, str, str, Counts | None]  # type and id of an activity, its context, its metrics


@dataclass(frozen=True)
class CourseStanding:
    """Enrolments of a course in all its contexts by the STEPS that they have come to; `name` is its id if unnamed."""

    course_id: str
    name: str
    steps: tuple[int, ...]

    @property
    def enrolled(self) -> int:
        return self.steps[0]

    @property
    def completed(self) -> int:
        return self.steps[-1]

    @property
    def percentages(self) -> tuple[float, ...]:
        """Of those who are enrolled, 0..100, floored to hundredths as all percentages are; 0 when nobody is.

        >>> CourseStanding("c1", "Chemistry", (30_000, 29_999, 20_000, 4, 2, 2)).percentages
        (100.0, 99.99, 66.66, 0.01, 0.0, 0.0)
        """
        return tuple(step * 10_000 // self.enrolled / 100 if self.enrolled else 0.0 for step in self.steps)


@dataclass(frozen=True)
class QuizStanding:
    """Learners with an attempt at a quiz, in all contexts, by the BANDS of their best one."""

    quiz_id: str
    name: str
    bands: tuple[int, ...]

    @property
    def taken(self) -> int:
        return sum(self.bands)


@dataclass(frozen=True)
class Standing:
    """All courses together, those with most enrolments, the quizzes with most learners, and the largest contexts.

    `courses`, `quizzes` and `contexts` are how many were found; not all were, unless `is_whole`. `all_quizzes` is None
    where the family `scores` has left nothing.
    """

    all_courses: CourseStanding
    largest: tuple[CourseStanding, ...]
    courses: int
    all_quizzes: QuizStanding | None
    most_taken: tuple[QuizStanding, ...]
    quizzes: int
    largest_contexts: tuple[tuple[str, str], ...]  # ids of course and context
    contexts: int
    is_whole: bool


@dataclass
class _Sums:
    has_scores: bool
    courses: dict[str, list[int]] = field(default_factory=dict)
    quizzes: dict[str, list[int]] = field(default_factory=dict)
    contexts: list[tuple[int, str, str]] = field(default_factory=list)
    rows: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        for kind, activity, context, agg in rows:
            self.rows += 1
            if not context.startswith(CONTEXTS):
                continue  # another writer's
            if kind == COURSE and agg and STEPS["enrolled"] in agg:
                counts = _added(self.courses, activity, [int(agg.get(name, 0)) for name in STEPS.values()])
                self.contexts.append((counts[0], activity, context))
            elif kind == QUIZ and agg and self.has_scores and "reached25Count" in agg:
                _added(self.quizzes, activity, list(_bands(agg)))


def read_standing(
    session: Session, target: settings.Target, most: int, most_contexts: int, *, has_scores: bool
) -> Standing:
    """Page through activity_agg, up to a bound, and keep a few sums of each course, and quiz where it `has_scores`."""
    columns = f"activity_type, activity_id, context_id, {target.columns.agg}"
    query = f"SELECT {columns} FROM {target.keyspace}.{target.tables['activity_agg']} LIMIT {MOST_ROWS}"
    sums = _Sums(has_scores)
    sums.add(session.execute(reading(query, _FETCH_SIZE)))
    courses = nlargest(most, sums.courses, key=lambda course: (sums.courses[course][0], course))
    quizzes = nlargest(most, sums.quizzes, key=lambda quiz: (sum(sums.quizzes[quiz]), quiz))
    names = names_of(session, target, [*((COURSE, each) for each in courses), *((QUIZ, each) for each in quizzes)])
    return _standing(sums, courses, quizzes, names, most_contexts)


def _standing(
    sums: _Sums, courses: list[str], quizzes: list[str], names: Mapping[Activity, str], most_contexts: int
) -> Standing:
    return Standing(
        all_courses=CourseStanding("", "all courses", _total(sums.courses, len(STEPS))),
        largest=tuple(CourseStanding(each, names[COURSE, each], tuple(sums.courses[each])) for each in courses),
        courses=len(sums.courses),
        all_quizzes=QuizStanding("", "all quizzes", _total(sums.quizzes, len(BANDS))) if sums.quizzes else None,
        most_taken=tuple(QuizStanding(each, names[QUIZ, each], tuple(sums.quizzes[each])) for each in quizzes),
        quizzes=len(sums.quizzes),
        largest_contexts=tuple((course, context) for _, course, context in nlargest(most_contexts, sums.contexts)),
        contexts=len(sums.contexts),
        is_whole=sums.rows < MOST_ROWS,
    )


def _bands(agg: Counts) -> Iterator[int]:
    """Learners in each of the BANDS, from counts of those who reached a score.

    >>> list(_bands({"startedCount": 10.0, "reached25Count": 9.0, "reached50Count": 5.0, "reached75Count": 2.0}))
    [1, 4, 3, 2]
    """
    reached = [int(agg.get(name, 0)) for name in _TAKEN]
    for at_least, next_one in zip(reached, [*reached[1:], 0], strict=True):
        yield max(0, at_least - next_one)


def _added(sums: dict[str, list[int]], activity: str, counts: list[int]) -> list[int]:
    """Add the counts to those of the activity, and return them."""
    sums[activity] = [one + other for one, other in zip(sums.get(activity, [0] * len(counts)), counts, strict=True)]
    return counts


def _total(sums: Mapping[str, list[int]], length: int) -> tuple[int, ...]:
    return tuple(sum(counts[at] for counts in sums.values()) for at in range(length))
