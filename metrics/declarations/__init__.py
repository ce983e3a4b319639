"""Every metric, declared once: what it means, where it stands, how it is computed and how it combines.

The names that the job owns, its sums and differences, the documentation and the read API all come from here. These
modules are data: they import no Spark, so that whoever only shows metrics may read them.

Expressions are Spark SQL over the columns of a row, which are named as the metrics are. A metric of a learner is
computed from a learner's row; one of an activity or a group is a sum over the learners' (the members') published rows,
or is derived from such sums and from the source columns of its row.
"""

from __future__ import annotations

from dataclasses import dataclass

from metrics.declarations.activities import ACTIVITIES, DAYS, OF_BOTH
from metrics.declarations.groups import OF_GROUPS
from metrics.declarations.learners import LEARNERS
from metrics.declarations.metric import (
    ACTIVITY_AGG,
    ACTIVITY_DAY_AGG,
    ACTIVITY_USER_AGG,
    ANY_TYPE,
    CERTIFICATES,
    COLLECTIONS,
    COMPLETION,
    COURSE_ROWS,
    DATES,
    FAMILIES,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    GROUPS,
    OF_LEARNERS,
    OWN_ROWS,
    REACHED,
    SCORES,
    TIME,
    Family,
    Metric,
)

__all__ = [
    "ACTIVITY_AGG", "ACTIVITY_DAY_AGG", "ACTIVITY_USER_AGG", "ANY_TYPE", "CERTIFICATES", "COLLECTIONS", "COMPLETION",
    "COURSE_ROWS", "DATES", "EVERYTHING", "FAMILIES", "GROUPS", "GROUP_ACTIVITY_AGG", "GROUP_ACTIVITY_USER_AGG",
    "METRICS", "OF_LEARNERS", "OWN_ROWS", "REACHED", "SCORES", "TIME", "Family", "Metric", "Selection", "all_names",
    "declared", "names",
]  # fmt: skip

METRICS: tuple[Metric, ...] = (*LEARNERS, *ACTIVITIES, *OF_GROUPS, *OF_BOTH, *DAYS)


@dataclass(frozen=True)
class Selection:
    """What of the declared metrics is on: families, and the entries of others that members' rows take along."""

    families: tuple[str, ...] = FAMILIES
    carry: tuple[str, ...] = ()

    def has(self, metric: Metric) -> bool:
        return metric.family in self.families and metric.also in (None, *self.families)


EVERYTHING = Selection()


def declared(table: str, selection: Selection = EVERYTHING) -> tuple[Metric, ...]:
    """The metrics of a table's rows that are on; one of two types may be declared once for each."""
    return tuple(metric for metric in METRICS if table in metric.tables and selection.has(metric))


def names(table: str, selection: Selection = EVERYTHING) -> tuple[str, ...]:
    """The job's own names in a table's rows, each once, in the order of declaration, and what is taken along.

    >>> names("group_activity_agg", Selection(("completion",)))
    ('memberCount', 'enrolledCount', 'completedCount', 'completionPercentage')
    """
    carried = selection.carry if table == GROUP_ACTIVITY_USER_AGG else ()
    return tuple(dict.fromkeys([*(metric.name for metric in declared(table, selection)), *carried]))


def all_names(selection: Selection = EVERYTHING) -> tuple[str, ...]:
    """The job's own names of all tables, each once."""
    on = (metric.name for metric in METRICS if selection.has(metric))
    return tuple(dict.fromkeys([*on, *selection.carry]))
