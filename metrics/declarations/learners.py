"""The metrics of a learner's row, and of a member's, which is the member's best one."""

from __future__ import annotations

from metrics.declarations.metric import (
    CERTIFICATES,
    COLLECTIONS,
    COMPLETION,
    DATES,
    OF_LEARNERS,
    TIME,
    Metric,
)
from metrics.names import COURSE, QUIZ
from metrics.percentages import percentage, score_percentage

ISSUED = "certificates"  # the optional column of the enrolments

LEARNERS = (
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
    Metric(
        "enrolledOn", DATES, "epoch ms", "the earliest enrolled_date of the enrolment; none without one",
        OF_LEARNERS, (COURSE,),
    ),
    Metric(
        "completedOn", DATES, "epoch ms", "the earliest completedon of the enrolment, where `completed` is 1",
        OF_LEARNERS, (COURSE,), "CASE WHEN completed = 1 THEN completedOn END",
    ),
    Metric(
        "lastActiveOn", DATES, "epoch ms",
        "the latest of lastcontentaccesstime of the enrolment, last_access_time of its progress and last_attempted_on "
        "of its attempts; of a Quiz, of the attempts at it",
        OF_LEARNERS, (COURSE, QUIZ),
    ),
    Metric(
        "certified", CERTIFICATES, "0 or 1", "1 if issued_certificates of the enrolment has an entry, else 0",
        OF_LEARNERS, (COURSE,), rests_on=ISSUED,
    ),
    Metric(
        "timespent", TIME, "seconds",
        "the learner's seconds in the course and batch, each row rounded to milliseconds, their sum rounded down; none "
        "without a row",
        OF_LEARNERS, (COURSE,),
    ),
)  # fmt: skip
