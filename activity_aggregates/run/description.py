"""What activities are described with: the configured entries of activity_metadata, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.sources.tables import BATCHES, Sources
from metrics import courses, metadata
from metrics.ownership import IsOwn


@dataclass(frozen=True)
class Description:
    """Entries by name: `fields` are attributes of nodes, `dates` those of the `batches` of a course."""

    fields: Mapping[str, str]
    dates: Mapping[str, str]
    batches: DataFrame
    seen: Observation

    def __bool__(self) -> bool:
        """Whether anything is to be described."""
        return bool(self.fields or self.dates)

    def owns(self) -> IsOwn:
        return metadata.is_own_entry(self.fields, self.dates)

    def rows(self, placed: DataFrame, outlines: DataFrame) -> DataFrame:
        """(activity_type, activity_id, agg map<string,string>, is_in_scope) of the activities that a tree has.

        `placed` is the catalog with `is_in_scope`, `outlines` are those of its courses.
        """
        described = metadata.activity_metadata(placed, courses.described_nodes(outlines))
        if self.dates:
            described = metadata.with_dates(described, metadata.course_dates(self.batches), self.dates)
        return described.select(*metadata.ACTIVITY, described.metadata.alias("agg"), "is_in_scope")

    def counts(self) -> dict[str, int]:
        """What was read for the `rows`, once they were computed."""
        return {f"read.{BATCHES.name}": self.seen.get["read"]} if self.dates else {}


def description(sources: Sources, choices: settings.Metadata) -> Description:
    """The entries that are not left to others; dates only where the batches are configured."""
    fields = {entry: attribute for entry, attribute in (choices.fields or {}).items() if attribute}
    dates = {entry: date for entry, date in (choices.batches or {}).items() if date and sources.has(BATCHES)}
    batches, seen = sources.frame(BATCHES), Observation()
    return Description(fields, dates, batches.observe(seen, F.count(F.lit(1)).alias("read")), seen)
