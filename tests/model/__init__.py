"""What the aggregates mean, once more: a slow model in plain Python that the Spark job is compared with.

It is written from the definitions alone and imports nothing of the project. Nothing here is clever: sets, loops and
exact fractions.
"""

from tests.model.aggregates import model
from tests.model.rows import (
    ActivityKey,
    Attempt,
    CatalogKey,
    Enrolment,
    Expected,
    Group,
    GroupKey,
    GroupMember,
    GroupUserKey,
    Metrics,
    Progress,
    Source,
    UserKey,
)

__all__ = [
    "ActivityKey",
    "Attempt",
    "CatalogKey",
    "Enrolment",
    "Expected",
    "Group",
    "GroupKey",
    "GroupMember",
    "GroupUserKey",
    "Metrics",
    "Progress",
    "Source",
    "UserKey",
    "model",
]
