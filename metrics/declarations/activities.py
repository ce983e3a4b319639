"""The metrics of an activity in one context, over all of its learners, and of the days of a course."""

from __future__ import annotations

from metrics.declarations.learners import ISSUED
from metrics.declarations.metric import (
    ACTIVITY_AGG,
    ACTIVITY_DAY_AGG,
    CERTIFICATES,
    COLLECTIONS,
    COMPLETION,
    COURSE_ROWS,
    DATES,
    GROUP_ACTIVITY_AGG,
    GROUPS,
    REACHED,
    SCORES,
    STANDS_COMPLETED,
    STANDS_STARTED,
    TIME,
    Metric,
)
from metrics.names import COURSE, QUIZ
from metrics.percentages import percentage

ACTIVITIES = (
    Metric(
        "enrolledCount", COMPLETION, "learners", "learners of the course in that context, also for a unit or a quiz",
        (ACTIVITY_AGG,), adds="1", over=COURSE_ROWS,
    ),
    Metric(
        "startedCount", COMPLETION, "learners", "learners with a startedCount above 0; of a Quiz: with an attempt",
        (ACTIVITY_AGG,), adds=STANDS_STARTED,
    ),
    Metric(
        "completedCount", COMPLETION, "learners", "learners whose `completed` is 1; of a Quiz: with an attempt",
        (ACTIVITY_AGG,), adds=STANDS_COMPLETED,
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

# What activities add up, and groups over their members' rows.
OF_BOTH = tuple(
    metric
    for table, also in ((ACTIVITY_AGG, None), (GROUP_ACTIVITY_AGG, GROUPS))
    for metric in (
        Metric(
            "certifiedCount", CERTIFICATES, "learners", "of a Course: learners whose `certified` is 1",
            (table,), (COURSE,), adds="certified", also=also, rests_on=ISSUED,
        ),
        Metric(
            "attemptsCount", SCORES, "attempts", "of a Quiz: the sum of attemptsCount",
            (table,), (QUIZ,), adds="attemptsCount", also=also,
        ),
        Metric(
            "scorePercentageSum", SCORES, "percent", "of a Quiz: the sum of scorePercentage",
            (table,), (QUIZ,), adds="scorePercentage", scale=100, also=also,
        ),
        Metric(
            "averageScorePercentage", SCORES, "percent",
            "of a Quiz: scorePercentageSum by those with an attempt, floored to two decimals; 0 of nobody",
            (table,), (QUIZ,),
            "CASE WHEN completedCount = 0 THEN 0D ELSE (scorePercentageSum div completedCount) / 100D END", also=also,
        ),
        Metric(
            "timespent", TIME, "seconds", "of a Course: the sum of timespent",
            (table,), (COURSE,), adds="timespent", also=also,
        ),
        Metric(
            "timespentCount", TIME, "learners", "of a Course: learners who have a timespent",
            (table,), (COURSE,), adds="CASE WHEN timespent IS NULL THEN 0 ELSE 1 END", also=also,
        ),
        Metric(
            "averageTimespent", TIME, "seconds",
            "of a Course: timespent by timespentCount, floored to two decimals; 0 of nobody",
            (table,), (COURSE,),
            "CASE WHEN timespentCount = 0 THEN 0D ELSE (timespent * 100 div timespentCount) / 100D END", also=also,
        ),
    )
)  # fmt: skip

DAYS = tuple(
    Metric(name, DATES, "learners", meaning, (ACTIVITY_DAY_AGG,), (COURSE,), adds="1", day_of=date)
    for name, date, meaning in (
        ("enrolledCount", "enrolledOn", "learners whose enrolledOn is on this day; none where it would be 0"),
        ("completedCount", "completedOn", "learners whose completedOn is on this day; none where it would be 0"),
        ("lastActiveCount", "lastActiveOn", "learners whose lastActiveOn is on this day; none where it would be 0"),
    )
)
