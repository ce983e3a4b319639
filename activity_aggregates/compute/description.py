"""What activities are described with: the configured entries of activity_metadata, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.change_set import compare
from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.contexts import has_courses
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among, flagged, ids_in
from activity_aggregates.compute.reading import Placed, standing_catalog
from activity_aggregates.sources.tables import BATCHES, HIERARCHIES
from activity_aggregates.store.targets import ACTIVITY_METADATA, TEXTS, TargetTable
from metrics.catalog import IS_WHOLE
from metrics.names import COURSE, WAS
from metrics.predicates import is_served_activity
from metrics.refusals import any_blank
from metrics.trees import courses, metadata
from metrics.trees.batches import batch_days

_PLACE = (*metadata.ACTIVITY, "course_id")
_AFTER_ALL = "\U0010ffff"  # no id of a course is greater


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


def description(choices: settings.Metadata, time_zone: str, *, has_batches: bool) -> Description:
    """The entries that are not left to others; dates only where the batches are configured."""
    fields = {entry: attribute for entry, attribute in (choices.fields or {}).items() if attribute}
    dates = {entry: date for entry, date in (choices.batches or {}).items() if date and has_batches}
    return Description(fields, dates, time_zone)


def compare_metadata(
    inputs: Inputs, choice: Choice, placed: Placed | None, described: Description
) -> tuple[dict[TargetTable, DataFrame], Observation | None]:
    """The compared rows of what is described at hand; of a run that looks at a part, only of what may be new.

    `placed` is None where no pair is at hand. What is stored of other activities stays as it is. With what is observed
    of the batches, `read` and `keyless`, once the rows are computed; None where none are read.
    """
    if not described or (placed is None and not inputs.asked.done_contexts):
        return {}, None
    places: DataFrame | None
    outlines: DataFrame | None
    if placed is not None and placed.touched is None:
        places, outlines = _owned(placed.owners), courses.settled(placed.outlines)
    else:
        places, outlines = _of_a_part(inputs, choice, placed, described)
    if places is None or outlines is None:
        return {}, None
    seen = Observation() if described.dates else None
    rows = metadata.activity_metadata(places, courses.described_nodes(outlines))
    if seen is not None:
        keyless = F.count_if(any_blank("course_id")).alias("keyless")
        batches = inputs.sources.frame(BATCHES).observe(seen, F.count(F.lit(1)).alias("read"), keyless)
        dates = metadata.course_dates(batch_days(batches, described.time_zone))
        rows = metadata.with_dates(rows, dates, described.dates)
    computed = rows.select(*metadata.ACTIVITY, F.when(F.size("metadata") > 0, F.col("metadata")).alias(TEXTS))
    stored = inputs.stored_rows(ACTIVITY_METADATA)
    if stored is not None:
        owns = described.owns()
        own = F.map_filter(WAS + TEXTS, lambda name, _: owns(name))
        stored = stored.filter(is_served_activity()).withColumn(WAS + TEXTS, F.when(F.size(own) > 0, own))
    return {ACTIVITY_METADATA: compare(ACTIVITY_METADATA, (), computed, stored, F.lit(True))}, seen


def _owned(owners: DataFrame) -> DataFrame:
    """(activity_type, activity_id, course_id) of `catalog.owners` whose course is settled, each once."""
    known = owners.filter(F.col("course_id").isNotNull() & ~F.col("is_blocked"))
    return known.select(*_PLACE).distinct()


def _of_a_part(
    inputs: Inputs, choice: Choice, placed: Placed | None, described: Description
) -> tuple[DataFrame | None, DataFrame | None]:
    """The places of what may be new, and the outlines that describe it, also of courses that are not at hand.

    All places of these activities are among them: an activity is described by the smallest course whose tree has it,
    wherever that is.
    """
    catalog = standing_catalog(inputs, placed)
    if catalog is None:
        return None, None
    if placed is None or inputs.asked.half_written or inputs.asked.done_contexts:
        # What a dead run has taken would have told what has ended, and of what is done nothing is at hand.
        places, elsewhere = catalog.select(*_PLACE).distinct(), catalog
    else:
        changed = placed.changed | choice.redescribed
        if not (placed.has_new or changed or has_courses(choice.whole or ())):
            return None, None
        is_new = F.col("recorded_course_id").isNull() | F.col("has_changed") | F.col(IS_WHOLE)
        owners = flagged(choice.with_whole(placed.owners), "course_id", changed, "has_changed")
        new = _owned(owners.filter(is_new))
        gone = _gone(owners, new, courses.described_nodes(courses.settled(placed.outlines)))
        elsewhere = _of_smaller_courses(catalog, new, gone)
        if choice.redescribed:
            themselves = among(catalog.filter(F.col("activity_type") == COURSE), "course_id", choice.redescribed)
            elsewhere = elsewhere.unionByName(themselves.select(*_PLACE))
        places = new.unionByName(elsewhere).distinct()
    outlines = None if placed is None else courses.settled(placed.outlines)
    course_ids = ids_in(elsewhere, "course_id")
    return places, _with_outlines(inputs, described, outlines, course_ids) if course_ids else outlines


def _gone(owners: DataFrame, places: DataFrame, nodes: DataFrame) -> DataFrame:
    """(activity_type, activity_id) of what no course at hand describes, each once.

    No course has it any more, or one that is unsettled; or it is a quiz, and the tree of its owner has no node of it.
    """
    is_lost = F.col(IS_WHOLE) & (F.col("course_id").isNull() | F.col("is_blocked"))
    lacking = places.join(nodes, ["course_id", "activity_id"], how="left_anti")
    return owners.filter(is_lost).select(*metadata.ACTIVITY).union(lacking.select(*metadata.ACTIVITY)).distinct()


def _of_smaller_courses(catalog: DataFrame, new: DataFrame, gone: DataFrame) -> DataFrame:
    """The places of what is new in smaller courses than the one at hand, and of what is `gone` in any."""
    found = new.unionByName(gone.withColumn("course_id", F.lit(_AFTER_ALL)))
    greatest = found.groupBy(*metadata.ACTIVITY).agg(F.max("course_id").alias("greatest"))
    known = catalog.join(greatest, list(metadata.ACTIVITY), how="inner")
    return known.filter(F.col("course_id") < F.col("greatest")).select(*_PLACE).distinct()


def _with_outlines(
    inputs: Inputs, described: Description, outlines: DataFrame | None, course_ids: frozenset[str]
) -> DataFrame:
    """The outlines and those of further settled courses, each once."""
    trees = among(inputs.sources.frame(HIERARCHIES), "course_id", course_ids)
    if outlines is not None:
        trees = trees.join(outlines.select("course_id"), "course_id", how="left_anti")
    parsed = courses.settled(courses.outlines(trees, described.fields))
    return parsed if outlines is None else outlines.select(parsed.columns).unionByName(parsed)
