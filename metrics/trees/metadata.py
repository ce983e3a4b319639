"""What is known of activities: texts of the trees' nodes, and the dates of a course's batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.predicates import is_course

Entries = Mapping[str, str]  # the names of entries, and the attributes of a node that they are
ACTIVITY = ("activity_type", "activity_id")
EARLIEST_START = "earliest_start"
LATEST_END = "latest_end"

_DATE = r"^\d{4}-\d{2}-\d{2}.{0,30}$"  # texts of this form are in the order of time


def course_dates(batches: DataFrame) -> DataFrame:
    """(course_id, earliest_start, latest_end) of (course_id, start_date, end_date); a date is a text.

    A course with a batch that has no end has none. What does not begin with a day is no date.
    """
    starts, ends = _date("start_date"), _date("end_date")
    return (
        batches.groupBy("course_id")
        .agg(
            F.min(starts).alias(EARLIEST_START),
            F.when(F.bool_and(ends.isNotNull()), F.max(ends)).alias(LATEST_END),
        )
        .select("course_id", EARLIEST_START, LATEST_END)
    )


def _date(column: str) -> Column:
    return F.when(F.col(column).rlike(_DATE), F.col(column))


def activity_metadata(placed: DataFrame, nodes: DataFrame) -> DataFrame:
    """(activity_type, activity_id, course_id, metadata) of activities that a tree has.

    `placed` has (activity_type, activity_id, course_id), `nodes` are `courses.described_nodes`. An activity of several
    courses is described by the smallest course_id whose tree has it.
    """
    described = placed.select(*ACTIVITY, "course_id").distinct().join(nodes, ["course_id", "activity_id"], how="inner")
    return (
        described.groupBy(*ACTIVITY)
        .agg(F.min("course_id").alias("course_id"), F.min_by("metadata", "course_id").alias("metadata"))
        .select(*ACTIVITY, "course_id", "metadata")
    )


def with_dates(described: DataFrame, dates: DataFrame, entries: Mapping[str, str]) -> DataFrame:
    """`activity_metadata` with the dates of `course_dates` under the names of `entries`, in courses only."""
    names_and_dates = [part for name, date in entries.items() for part in (F.lit(name), F.col(date))]
    known = F.map_filter(F.create_map(*names_and_dates), lambda _, date: date.isNotNull())
    others = F.map_filter("metadata", lambda name, _: ~name.isin(*entries))
    metadata = F.when(is_course(), F.map_concat(others, known)).otherwise(F.col("metadata"))
    joined = described.join(dates, "course_id", how="left")
    return joined.select(*ACTIVITY, "course_id", metadata.alias("metadata"))


def is_own_entry(of_nodes: Mapping[str, str], of_batches: Mapping[str, str]) -> Callable[[Column], Column]:
    """A predicate on the names of a row's metadata: those that are configured; dates of batches only in courses."""

    def holds(name: Column) -> Column:
        is_of_node = name.isin(*of_nodes) if of_nodes else F.lit(False)
        return is_of_node | (is_course() & name.isin(*of_batches)) if of_batches else is_of_node

    return holds
