"""The words that identify activities, contexts and entries in every table; no Spark is needed to know them."""

from __future__ import annotations

from collections.abc import Iterable

COURSE = "Course"
COURSE_UNIT = "CourseUnit"
QUIZ = "Quiz"
ACTIVITY_TYPES = (COURSE, COURSE_UNIT, QUIZ)

BATCH_CONTEXT = "cb:"
GROUP_CONTEXT = "g:"
CONTEXTS = (BATCH_CONTEXT, GROUP_CONTEXT)  # the kinds of contexts, by what their ids begin with

SCORE = "score:"
MAX_SCORE = "max_score:"
ATTEMPTS_COUNT = "attempts_count:"
SCORE_PREFIXES = (SCORE, MAX_SCORE, ATTEMPTS_COUNT)

ENROLMENT_IDS = ("user_id", "course_id", "batch_id")  # what tells one enrolment from another

LONGEST_KEY = 1024  # bytes of UTF-8 of one id: keys of the store, several ids as JSON among them, hold 64 KiB
ACTIVE = "active"  # the status of groups and members that count

WAS = "was_"  # before the name of a metric: its stored value, in rows that are compared

# Attributes of a node that the job counts itself, whatever the node says under that name: so they are numbers.
LEAF_NODES_COUNT = "leafNodesCount"
COUNTED_ATTRIBUTES = (LEAF_NODES_COUNT,)


def course_words(course_types: Iterable[str]) -> frozenset[str]:
    """What groups list for a course, in lower case: the words given, and its own type.

    >>> sorted(course_words(["TextBook"]))
    ['course', 'textbook']
    """
    return frozenset({COURSE.lower(), *(word.lower() for word in course_types)})
