"""What activities are described with: the configured entries of activity_metadata, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.change_set import compare
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.reading import Placed
from activity_aggregates.compute.work import Work
from activity_aggregates.sources.tables import BATCHES, HIERARCHIES, Sources
from activity_aggregates.store.targets import ACTIVITY_METADATA, TEXTS, TargetTable
from metrics.activities import WAS
from metrics.names import COURSE
from metrics.predicates import is_served_activity
from metrics.trees import courses, metadata
from metrics.trees.batches import batch_days


@dataclass(frozen=True)
class Description:
    """Entries by name: `fields` are attributes of nodes, `dates` those of the batches of a course.

    A batch begins and ends on days of `time_zone`.
    """

    fields: Mapping[str, str]
    dates: Mapping[str, str]
    time_zone: str

    def __bool__(self) -> bool:
        """Whether anything is to be described."""
        return bool(self.fields or self.dates)

    def owns(self) -> Callable[[Column], Column]:
        return metadata.is_own_entry(self.fields, self.dates)


def description(sources: Sources, choices: settings.Metadata, time_zone: str) -> Description:
    """The entries that are not left to others; dates only where the batches are configured."""
    fields = {entry: attribute for entry, attribute in (choices.fields or {}).items() if attribute}
    dates = {entry: date for entry, date in (choices.batches or {}).items() if date and sources.has(BATCHES)}
    return Description(fields, dates, time_zone)


def compare_metadata(
    inputs: Inputs, work: Work, placed: Placed, described: Description, further: frozenset[str]
) -> tuple[dict[TargetTable, DataFrame], Observation | None]:
    """The compared rows of what is described at hand; of a run that looks at a part, only of what may be new.

    `further` are courses whose batches have changed. What is stored of other activities stays as it is.
    With what is observed of the batches, `read`, once the rows are computed; None where none are read.
    """
    if not described:
        return {}, None
    seen = Observation() if described.dates else None
    owners = placed.owners.filter(F.col("course_id").isNotNull() & ~F.col("is_blocked"))
    places = owners.select(*metadata.ACTIVITY, "course_id").distinct()
    outlines = courses.settled(placed.outlines)
    if placed.touched is not None:
        is_new = F.col("held_course_id").isNull() | F.col("course_id").isin(sorted(placed.changed | further))
        is_new |= work.is_whole()
        places = _smallest(inputs, owners.filter(is_new).select(*metadata.ACTIVITY, "course_id").distinct())
        if further:
            places, outlines = _with_courses(inputs, described, places, outlines, further)
    nodes = courses.described_nodes(outlines)
    rows = metadata.activity_metadata(places, nodes)
    if seen is not None:
        batches = inputs.sources.frame(BATCHES).observe(seen, F.count(F.lit(1)).alias("read"))
        dates = metadata.course_dates(batch_days(batches, described.time_zone))
        rows = metadata.with_dates(rows, dates, described.dates)
    computed = rows.select(*metadata.ACTIVITY, F.when(F.size("metadata") > 0, F.col("metadata")).alias(TEXTS))
    stored = inputs.stored_rows(ACTIVITY_METADATA)
    if stored is not None:
        owns = described.owns()
        own = F.map_filter(WAS + TEXTS, lambda name, _: owns(name))
        stored = stored.filter(is_served_activity()).withColumn(WAS + TEXTS, F.when(F.size(own) > 0, own))
    return {ACTIVITY_METADATA: compare(ACTIVITY_METADATA, (), computed, stored, F.lit(True))}, seen


def _smallest(inputs: Inputs, places: DataFrame) -> DataFrame:
    """The places of activities that no course with a smaller id describes in another context."""
    if (held := inputs.catalog()) is None:
        return places
    smallest = held.groupBy(*metadata.ACTIVITY).agg(F.min("course_id").alias("smallest"))
    joined = places.join(smallest, list(metadata.ACTIVITY), how="left")
    return joined.filter(F.coalesce(F.col("smallest") >= F.col("course_id"), F.lit(True))).drop("smallest")


def _with_courses(
    inputs: Inputs, described: Description, places: DataFrame, outlines: DataFrame, course_ids: frozenset[str]
) -> tuple[DataFrame, DataFrame]:
    """Further courses by themselves, of which only the batches have changed; those that were never computed are not."""
    trees = inputs.among(inputs.sources.frame(HIERARCHIES), "course_id", course_ids)
    others = trees.join(outlines.select("course_id"), "course_id", how="left_anti")
    parsed = courses.settled(courses.outlines(others, described.fields))
    themselves = inputs.among(
        outlines.select("course_id").unionByName(parsed.select("course_id")), "course_id", course_ids
    )
    known = inputs.stored.plain_keys(ACTIVITY_METADATA).filter(F.col("activity_type") == COURSE)
    rows = themselves.join(known.select(F.col("activity_id").alias("course_id")), "course_id", how="left_semi").select(
        F.lit(COURSE).alias("activity_type"), F.col("course_id").alias("activity_id"), "course_id"
    )
    columns = parsed.columns
    return places.unionByName(rows).distinct(), outlines.select(columns).unionByName(parsed)
