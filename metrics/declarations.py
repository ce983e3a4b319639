"""Every metric, declared once: its name, family and unit, where it stands, and what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric; `tables` are those of which rows have it."""

    name: str
    family: str
    unit: str
    meaning: str
    tables: tuple[str, ...]


LEARNERS = ("activity_user_agg", "group_activity_user_agg")
ACTIVITIES = ("activity_agg",)
GROUPS = ("group_activity_agg",)
COUNTED = (*LEARNERS, *ACTIVITIES)


def _completion(name: str, unit: str, tables: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, "completion", unit, meaning, tables)


METRICS: tuple[Metric, ...] = (
    _completion(
        "startedCount", "count", COUNTED, "Contents that a learner has started; of an activity, learners with one."
    ),
    _completion(
        "completedCount",
        "count",
        (*COUNTED, *GROUPS),
        "Required contents that a learner has done; learners who have completed.",
    ),
    _completion("leafNodesCount", "count", COUNTED, "Contents that the activity requires."),
    _completion(
        "completionPercentage",
        "percent",
        (*COUNTED, *GROUPS),
        "Share of the required contents that is done; of the enrolled who have completed.",
    ),
    _completion("completed", "flag", LEARNERS, "1 where the learner has completed, else 0."),
    _completion("score", "points", LEARNERS, "The best score of a learner in a quiz."),
    _completion("maxScore", "points", LEARNERS, "What could be scored in the best attempt."),
    _completion("attemptsCount", "count", LEARNERS, "Attempts of a learner at a quiz."),
    _completion("scorePercentage", "percent", LEARNERS, "The best score of what could be scored."),
    _completion("enrolledCount", "count", (*ACTIVITIES, *GROUPS), "Learners who are enrolled."),
    _completion("completedLeafNodesCount", "count", ACTIVITIES, "Required contents done, of all learners together."),
    _completion(
        "averageProgress", "percent", ACTIVITIES, "Required contents done of all that are required of all learners."
    ),
    _completion("reached25Count", "count", ACTIVITIES, "Learners at 25 % or more."),
    _completion("reached50Count", "count", ACTIVITIES, "Learners at 50 % or more."),
    _completion("reached75Count", "count", ACTIVITIES, "Learners at 75 % or more."),
    _completion("memberCount", "count", GROUPS, "Active members of the group."),
)
