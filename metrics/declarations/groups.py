"""The metrics of a group's activity, over the members' best rows."""

from __future__ import annotations

from metrics.declarations.metric import (
    COMPLETION,
    GROUP_ACTIVITY_AGG,
    GROUPS,
    REACHED,
    STANDS_COMPLETED,
    STANDS_STARTED,
    Metric,
)
from metrics.percentages import percentage

OF_GROUPS = (
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
        (GROUP_ACTIVITY_AGG,), adds=STANDS_COMPLETED,
    ),
    Metric(
        "completionPercentage", COMPLETION, "percent", "completedCount of enrolledCount; 0 where nobody is enrolled",
        (GROUP_ACTIVITY_AGG,), value=percentage("completedCount", "enrolledCount", of_nothing=0),
    ),
    Metric(
        "startedCount", GROUPS, "members",
        "members whose best row has a startedCount above 0; of a Quiz: members with a row",
        (GROUP_ACTIVITY_AGG,), adds=STANDS_STARTED,
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
