"""The scope of a run as a condition on rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from activity_aggregates.request.scope import Scope
from metrics.affected import is_activity
from metrics.names import COURSE

_SAMPLED_BY = ("context_id", "group_id", "activity_id")
_BUCKETS = 1_000_000


def is_learner_row_open(scope: Scope, course_id: Column) -> Column:
    """Whether the run may change a row of activity_user_agg."""
    return _of_activities_and_contexts(scope, course_id) & _is_in("user_id", scope.users)


def is_activity_row_open(scope: Scope, course_id: Column, contexts_of_users: Iterable[str]) -> Column:
    """Whether the run may change a row of activity_agg or activity_catalog; counts are always of all learners."""
    is_of_users = F.col("context_id").isin(sorted(contexts_of_users)) if scope.users else F.lit(True)
    return _of_activities_and_contexts(scope, course_id) & is_of_users


def is_group_row_open(scope: Scope) -> Column:
    """Whether the run may change a row of the group tables.

    A learner's best context is chosen among all contexts, so a scope of contexts or users opens every group's rows.
    """
    return _is_in("group_id", scope.groups) & _of_activities(scope, F.lit(None).cast("string"))


def is_sampled(key: Sequence[str], share: float) -> Column:
    """Whether a row is of a share of all contexts, of all groups in tables without contexts, or of all activities.

    The share is always the same one: it is chosen by a hash.
    """
    if share >= 1:
        return F.lit(True)
    column = next(name for name in _SAMPLED_BY if name in key)
    return F.pmod(F.xxhash64(column), F.lit(_BUCKETS)) < F.lit(share * _BUCKETS)


def _of_activities_and_contexts(scope: Scope, course_id: Column) -> Column:
    is_any_group = F.lit(not scope.groups)
    return _of_activities(scope, course_id) & _is_in("context_id", scope.contexts) & is_any_group


def _of_activities(scope: Scope, course_id: Column) -> Column:
    """A course takes its units and quizzes along, `course_id` being the one they belong to."""
    if not scope.activities:
        return F.lit(True)
    return reduce(
        lambda one, other: one | other, (_of(kind, name, course_id) for kind, name in sorted_activities(scope))
    )


def sorted_activities(scope: Scope) -> list[tuple[str | None, str]]:
    return sorted(scope.activities, key=lambda activity: (activity[0] or "", activity[1]))


def _of(kind: str | None, name: str, course_id: Column) -> Column:
    itself = is_activity(kind, name)
    return itself | F.coalesce(course_id == name, F.lit(False)) if kind in (None, COURSE) else itself


def _is_in(column: str, values: Iterable[str]) -> Column:
    wanted = sorted(values)
    return F.col(column).isin(wanted) if wanted else F.lit(True)
