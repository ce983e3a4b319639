"""The two parts of a change set: the rows of learners, and those of all other tables, which follow from them."""

from __future__ import annotations

from activity_aggregates.store.targets import ACTIVITY_USER_AGG, TargetTable

LEARNER_ROWS, OTHER_ROWS = PARTS = ("learners", "others")


def part_of(table: TargetTable) -> str:
    """The part in which the rows of a table are staged.

    >>> part_of(ACTIVITY_USER_AGG)
    'learners'
    """
    return LEARNER_ROWS if table == ACTIVITY_USER_AGG else OTHER_ROWS
