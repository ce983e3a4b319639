"""Every metric, declared once: what it means, where it stands, how it is computed and how it combines.

The names that the job owns, its sums and differences, the documentation and the read API all come from here. This
module is data: it imports no Spark, so that whoever only shows metrics may read it.

Expressions are Spark SQL over the columns of a row, which are named as the metrics are. A metric of a learner is
computed from a learner's row; one of an activity or a group is a sum over the learners' (the members') published rows,
or is derived from such sums and from the source columns of its row.
"""

from __future__ import annotations

from dataclasses import dataclass

from metrics.names import COURSE, COURSE_UNIT, QUIZ
from metrics.percentages import percentage, score_percentage

VERSION = 1  # of the definitions: raised where a value is computed by another rule than before

COMPLETION, SCORES, GROUPS = FAMILIES = ("completion", "scores", "groups")

ACTIVITY_USER_AGG = "activity_user_agg"
ACTIVITY_AGG = "activity_agg"
GROUP_ACTIVITY_AGG = "group_activity_agg"
GROUP_ACTIVITY_USER_AGG = "group_activity_user_agg"
OF_LEARNERS = (ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG)

COLLECTIONS = (COURSE, COURSE_UNIT)
ANY_TYPE = (COURSE, COURSE_UNIT, QUIZ)

OWN_ROWS = "own rows"  # the learners' rows of the activity itself
COURSE_ROWS = "course rows"  # the Course rows of the course that the activity belongs to

REACHED = (25, 50, 75)


@dataclass(frozen=True)
class Metric:
    """One metric of the rows of some tables.

    `value` is its expression; a sum has `adds` in its place, what one published row adds, counted in whole numbers of
    1/`scale`: in expressions the column of a sum is that whole number. `over` tells whose rows are added. A metric
    without either is a column of the source of its rows. It stands in rows of the activity types `types` only.
    """

    name: str
    family: str
    unit: str
    meaning: str
    tables: tuple[str, ...]
    types: tuple[str, ...] = ANY_TYPE
    value: str | None = None
    adds: str | None = None
    scale: int = 1
    over: str = OWN_ROWS

    @property
    def is_sum(self) -> bool:
        """Whether it equals the sum over published rows."""
        return self.adds is not None

    @property
    def counts_learners(self) -> bool:
        """Whether it is a number of learners, of whom there are never more than are enrolled."""
        return self.is_sum and self.unit == "learners"


_STANDS_COMPLETED = f"CASE WHEN activity_type = '{QUIZ}' OR completed = 1 THEN 1 ELSE 0 END"
_STANDS_STARTED = f"CASE WHEN activity_type = '{QUIZ}' OR startedCount > 0 THEN 1 ELSE 0 END"

_LEARNERS = (
    Metric(
        "startedCount", COMPLETION, "leaves", "distinct leaves below the collection that are started, required or not",
        OF_LEARNERS, COLLECTIONS,
    ),
    Metric("completedCount", COMPLETION, "leaves", "its required leaves that are done", OF_LEARNERS, COLLECTIONS),
    Metric("leafNodesCount", COMPLETION, "leaves", "its required leaves", OF_LEARNERS, COLLECTIONS),
    Metric(
        "completionPercentage", COMPLETION, "percent",
        "completedCount of leafNodesCount; 100 where nothing is required",
        OF_LEARNERS, COLLECTIONS, percentage("completedCount", "leafNodesCount", of_nothing=100),
    ),
    Metric(
        "completed", COMPLETION, "0 or 1",
        "1 if completedCount reaches leafNodesCount; of a Course also if the enrolment has status 2 or a completedon; "
        "else 0",
        OF_LEARNERS, COLLECTIONS,
        f"CASE WHEN completedCount >= leafNodesCount OR (activity_type = '{COURSE}' AND is_earned) THEN 1 ELSE 0 END",
    ),
    Metric(
        "score", COMPLETION, "points",
        "total_score of the best attempt: the highest score, then the latest last_attempted_on (none before any), then "
        "the greatest attempt_id",
        OF_LEARNERS, (QUIZ,),
    ),
    Metric("maxScore", COMPLETION, "points", "total_max_score of that attempt", OF_LEARNERS, (QUIZ,)),
    Metric("attemptsCount", COMPLETION, "attempts", "distinct attempts", OF_LEARNERS, (QUIZ,)),
    Metric(
        "scorePercentage", COMPLETION, "percent",
        "score of maxScore; 0 where maxScore is 0, 100 where score is above it",
        OF_LEARNERS, (QUIZ,), score_percentage("score", "maxScore"),
    ),
)  # fmt: skip

_ACTIVITIES = (
    Metric(
        "enrolledCount", COMPLETION, "learners", "learners of the course in that context, also for a unit or a quiz",
        (ACTIVITY_AGG,), adds="1", over=COURSE_ROWS,
    ),
    Metric(
        "startedCount", COMPLETION, "learners", "learners with a startedCount above 0; of a Quiz: with an attempt",
        (ACTIVITY_AGG,), adds=_STANDS_STARTED,
    ),
    Metric(
        "completedCount", COMPLETION, "learners", "learners whose `completed` is 1; of a Quiz: with an attempt",
        (ACTIVITY_AGG,), adds=_STANDS_COMPLETED,
    ),
    Metric(
        "completionPercentage", COMPLETION, "percent", "completedCount of enrolledCount; 0 where nobody is enrolled",
        (ACTIVITY_AGG,), value=percentage("completedCount", "enrolledCount", of_nothing=0),
    ),
    Metric(
        "leafNodesCount", COMPLETION, "leaves", "required leaves of the activity (not of a Quiz)",
        (ACTIVITY_AGG,), COLLECTIONS,
    ),
    Metric(
        "completedLeafNodesCount", COMPLETION, "leaves", "the sum of the learners' completedCount (not of a Quiz)",
        (ACTIVITY_AGG,), COLLECTIONS, adds="completedCount",
    ),
    Metric(
        "averageProgress", COMPLETION, "percent",
        "completedLeafNodesCount of enrolledCount times leafNodesCount; 0 where nobody is enrolled, else 100 where "
        "nothing is required (not of a Quiz)",
        (ACTIVITY_AGG,), COLLECTIONS,
        "CASE WHEN enrolledCount = 0 THEN 0D ELSE "
        + percentage("completedLeafNodesCount", "enrolledCount * leafNodesCount", of_nothing=100) + " END",
    ),
    *(
        Metric(
            f"reached{share}Count", COMPLETION, "learners",
            f"learners whose completionPercentage is at least {share} (not of a Quiz)",
            (ACTIVITY_AGG,), COLLECTIONS, adds=f"CASE WHEN completionPercentage >= {share} THEN 1 ELSE 0 END",
        )
        for share in REACHED
    ),
    *(
        Metric(
            f"reached{share}Count", SCORES, "learners",
            f"of a Quiz: learners whose scorePercentage is at least {share}",
            (ACTIVITY_AGG,), (QUIZ,), adds=f"CASE WHEN scorePercentage >= {share} THEN 1 ELSE 0 END",
        )
        for share in REACHED
    ),
)  # fmt: skip

_SCORES = tuple(
    metric
    for table, family in ((ACTIVITY_AGG, SCORES), (GROUP_ACTIVITY_AGG, GROUPS))
    for metric in (
        Metric(
            "attemptsCount", family, "attempts", "of a Quiz: the sum of attemptsCount",
            (table,), (QUIZ,), adds="attemptsCount",
        ),
        Metric(
            "scorePercentageSum", family, "percent", "of a Quiz: the sum of scorePercentage",
            (table,), (QUIZ,), adds="scorePercentage", scale=100,
        ),
        Metric(
            "averageScorePercentage", family, "percent",
            "of a Quiz: scorePercentageSum by those with an attempt, floored to two decimals; 0 of nobody",
            (table,), (QUIZ,),
            "CASE WHEN completedCount = 0 THEN 0D ELSE (scorePercentageSum div completedCount) / 100D END",
        ),
    )
)  # fmt: skip

_GROUPS = (
    Metric("memberCount", COMPLETION, "members", "active members of the group", (GROUP_ACTIVITY_AGG,)),
    Metric(
        "enrolledCount", COMPLETION, "members",
        "members with a stored Course row of the course that owns the activity in a context; of a Course: with a row "
        "of it",
        (GROUP_ACTIVITY_AGG,),
    ),
    Metric(
        "completedCount", COMPLETION, "members",
        "members whose best row has `completed` 1; of a Quiz: members with a row",
        (GROUP_ACTIVITY_AGG,), adds=_STANDS_COMPLETED,
    ),
    Metric(
        "completionPercentage", COMPLETION, "percent", "completedCount of enrolledCount; 0 where nobody is enrolled",
        (GROUP_ACTIVITY_AGG,), value=percentage("completedCount", "enrolledCount", of_nothing=0),
    ),
    Metric(
        "startedCount", GROUPS, "members",
        "members whose best row has a startedCount above 0; of a Quiz: members with a row",
        (GROUP_ACTIVITY_AGG,), adds=_STANDS_STARTED,
    ),
    *(
        Metric(
            f"reached{share}Count", GROUPS, "members",
            f"members whose completionPercentage, of a Quiz scorePercentage, is at least {share}",
            (GROUP_ACTIVITY_AGG,),
            adds=f"CASE WHEN coalesce(completionPercentage, scorePercentage) >= {share} THEN 1 ELSE 0 END",
        )
        for share in REACHED
    ),
)  # fmt: skip

METRICS: tuple[Metric, ...] = (*_LEARNERS, *_ACTIVITIES, *_GROUPS, *_SCORES)


def declared(table: str, families: tuple[str, ...] = FAMILIES) -> tuple[Metric, ...]:
    """The metrics of a table's rows that are on; one of two types may be declared once for each."""
    return tuple(metric for metric in METRICS if table in metric.tables and metric.family in families)


def names(table: str, families: tuple[str, ...] = FAMILIES) -> tuple[str, ...]:
    """Their names, each once, in the order of declaration.

    >>> names("group_activity_agg", ("completion",))
    ('memberCount', 'enrolledCount', 'completedCount', 'completionPercentage')
    """
    return tuple(dict.fromkeys(metric.name for metric in declared(table, families)))
