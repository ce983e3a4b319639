"""The rows of learners: their courses, the units that they started, the quizzes that they took."""

from dataclasses import dataclass

from tests.model.acceptance import Attempts, Contents, Learning
from tests.model.courses import Course
from tests.model.numbers import dates, last_attempted_on, leaf_counts, quiz_numbers, scores_by_quiz, whole_seconds
from tests.model.rows import Metrics, Place, Settings
from tests.model.tables import CatalogKey, UserKey

Rows = dict[UserKey, Metrics]


@dataclass(frozen=True)
class Learners:
    """What counts of the sources, with the courses that can be computed and the owner of each activity."""

    enrolments: dict[Place, Learning]
    courses: dict[str, Course]
    contents: Contents
    attempts: Attempts
    timespent: dict[Place, list[float]]
    catalog: dict[CatalogKey, str]
    settings: Settings

    def rows(self) -> Rows:
        found: Rows = {}
        for place, learning in self.enrolments.items():
            if learning.is_active:
                found[UserKey("Course", place.course_id, place.user_id, place.context_id)] = self._course(place)
                found |= self._units(place)
                found |= self._quizzes(place)
        return found

    def _course(self, place: Place) -> Metrics:
        course, learning = self.courses[place.course_id], self.enrolments[place]
        metrics = leaf_counts(self.contents.statuses.get(place, {}), course.leaves(), course.required())
        if self.settings.sticky and (learning.status == 2 or learning.completed_on is not None):
            metrics["completed"] = 1
        if self.settings.scores_in_course:
            metrics |= scores_by_quiz(self.attempts.get(place, {}))
        if "dates" in self.settings.families:
            metrics |= self._dates(place, is_completed=metrics["completed"] == 1)
        if "certificates" in self.settings.families:
            metrics["certified"] = float(learning.is_certified)
        if "time" in self.settings.families and place in self.timespent:
            metrics["timespent"] = whole_seconds(self.timespent[place])
        return metrics

    def _dates(self, place: Place, is_completed: bool) -> Metrics:
        learning = self.enrolments[place]
        active_on = [learning.accessed_on, self.contents.accessed_on.get(place)]
        active_on += [last_attempted_on(taken) for taken in self.attempts.get(place, {}).values()]
        return dates(
            enrolledOn=learning.enrolled_on,
            completedOn=learning.completed_on if is_completed else None,
            lastActiveOn=max((date for date in active_on if date is not None), default=None),
        )

    def _units(self, place: Place) -> Rows:
        found, course = {}, self.courses[place.course_id]
        for unit in course.units():
            contents = self.contents.statuses.get(place, {})
            metrics = leaf_counts(contents, course.leaves(unit), course.required(unit))
            if self._belongs(place, "CourseUnit", unit) and metrics["startedCount"] >= 1:
                found[UserKey("CourseUnit", unit, place.user_id, place.context_id)] = metrics
        return found

    def _quizzes(self, place: Place) -> Rows:
        found = {}
        for quiz, taken in self.attempts.get(place, {}).items():
            if self._belongs(place, "Quiz", quiz):
                metrics = quiz_numbers(taken)
                if "dates" in self.settings.families:
                    metrics |= dates(lastActiveOn=last_attempted_on(taken))
                found[UserKey("Quiz", quiz, place.user_id, place.context_id)] = metrics
        return found

    def _belongs(self, place: Place, activity_type: str, activity_id: str) -> bool:
        return self.catalog[CatalogKey(place.context_id, activity_type, activity_id)] == place.course_id
