"""The metrics that there are, as their declarations say; the one place of the API that knows those."""

from __future__ import annotations

from collections.abc import Sequence

from activity_aggregates import settings
from activity_aggregates.api.answering.fields import Names
from activity_aggregates.api.answering.shapes import Entry
from activity_aggregates.selection import selected
from metrics.declarations import METRICS
from metrics.names import COUNTED_ATTRIBUTES, SCORE_PREFIXES


def described_metrics(given: settings.Settings) -> list[Entry]:
    """Every metric that is on, as GET /data/metrics tells of it."""
    return [
        {
            "name": metric.name,
            "family": metric.family,
            "unit": metric.unit,
            "meaning": metric.meaning,
            "tables": list(metric.tables),
        }
        for metric in METRICS
        if selected(given).has(metric)
    ]


def numbers_of_metadata(given: settings.Settings) -> frozenset[str]:
    """The entries of metadata that are numbers, by the attributes that the settings give them."""
    fields = given.metadata.fields or {}
    return frozenset(entry for entry, attribute in fields.items() if attribute in COUNTED_ATTRIBUTES)


def names(given: settings.Settings, profile: Sequence[str]) -> Names:
    """All that `fields` of a request may name; metrics also while they are off, for earlier runs have left them."""
    metadata = {**(given.metadata.fields or {}), **(given.metadata.batches or {})}
    return Names(
        metrics=frozenset({*(metric.name for metric in METRICS), *given.metrics.carry}),
        prefixes=SCORE_PREFIXES,
        metadata=frozenset(name for name, source in metadata.items() if source is not None),
        profile=frozenset(profile),
    )
