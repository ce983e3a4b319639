"""What the aggregates mean, once more: a slow model in plain Python that the Spark job is compared with.

It is written from the definitions alone and imports nothing of the project. Nothing here is clever: sets, loops and
exact fractions.
"""

from tests.model.aggregates import model
from tests.model.described import described
from tests.model.erasing import erased_from, without
from tests.model.published import published_problems
from tests.model.rows import (
    FAMILIES,
    Attempt,
    Enrolment,
    Group,
    GroupAttempt,
    GroupMember,
    Metrics,
    Progress,
    Settings,
    Source,
    TimeSpent,
)
from tests.model.tables import (
    ActivityKey,
    CatalogKey,
    DayKey,
    GroupKey,
    GroupUserKey,
    Tables,
    UserKey,
    differences,
    same_tables,
)

__all__ = [
    "FAMILIES",
    "ActivityKey",
    "Attempt",
    "CatalogKey",
    "DayKey",
    "Enrolment",
    "Group",
    "GroupAttempt",
    "GroupKey",
    "GroupMember",
    "GroupUserKey",
    "Metrics",
    "Progress",
    "Settings",
    "Source",
    "Tables",
    "TimeSpent",
    "UserKey",
    "described",
    "differences",
    "erased_from",
    "model",
    "published_problems",
    "same_tables",
    "without",
]
