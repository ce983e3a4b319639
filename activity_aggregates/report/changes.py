"""What a run would change, as values, and as plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from activity_aggregates.changes.sums import Activity, CourseChange, MetricChange
from activity_aggregates.report.values import described, shown
from activity_aggregates.store.targets import TargetTable
from metrics.names import COURSE

_METRICS = 4  # of a course


@dataclass(frozen=True)
class TableChanges:
    """How many rows of a table would change and be retracted, and those in which most would, as of `findings.plain`."""

    table: TargetTable
    changed: int
    retracted: int
    examples: tuple[Mapping[str, Any], ...]

    def activity(self, row: Mapping[str, Any]) -> Activity:
        """Type and id of what a row is about."""
        return row["key"]["activity_type"], row["key"]["activity_id"]


@dataclass(frozen=True)
class Changes:
    """All that a dry run shows. `courses` are those with most changed rows, of `number_of_courses`."""

    tables: tuple[TableChanges, ...]
    metrics: tuple[MetricChange, ...]
    courses: tuple[CourseChange, ...]
    number_of_courses: int
    names: Mapping[Activity, str]

    def course_name(self, course: CourseChange) -> str:
        return self.names.get((COURSE, course.course_id), course.course_id)


def lines(changes: Changes) -> Iterator[str]:
    """For pipes and logs: by table, then by metric, then by course."""
    yield "dry run: nothing was written"
    for each in changes.tables:
        yield f"{each.table.name}: {each.changed} rows would change, {each.retracted} of them retracted"
        for row in each.examples:
            yield f"  {described(row)}"
        if each.changed > len(each.examples):
            yield f"  … and {each.changed - len(each.examples)} more"
    for metric in changes.metrics:
        yield f"{metric.table} {metric.metric}: {metric.rows} rows would change{_sums(metric)}"
    for course in changes.courses:
        moved = ", ".join(f"{each.metric} {signed(each.difference)}" for each in most_moved(course))
        name = shown(changes.course_name(course))
        yield f"course {course.course_id} {name}: {course.rows} rows would change{moved and f', {moved}'}"
    if changes.number_of_courses > len(changes.courses):
        yield f"… and {changes.number_of_courses - len(changes.courses)} more courses"


def most_moved(course: CourseChange) -> list[MetricChange]:
    """The sums of a course that move furthest."""
    return [metric for metric in course.metrics if metric.difference][:_METRICS]


def signed(difference: float) -> str:
    """A difference with its sign.

    >>> signed(12.0), signed(-0.5), signed(0.0)
    ('+12', '-0.5', '0')
    """
    return f"{'+' if difference > 0 else ''}{shown(difference)}"


def _sums(metric: MetricChange) -> str:
    if metric.before is None:
        return ""
    return f", {shown(metric.before)} -> {shown(metric.after)} in all, {signed(metric.difference)}"
