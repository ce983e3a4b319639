"""The limits of a run, each beside the share that it has come to: one rule for who stops a run and for who shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from activity_aggregates import settings
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, AGGREGATE_TABLES

ENROLMENTS = "enrolments"  # the source whose refusals are counted without its name
REFUSED, RETRACTED, LOWERED = "refused_share", "retracted_share", "lowered_share"


@dataclass(frozen=True)
class Refusal:
    """Rows of one source that were refused for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Limit:
    """A limit by its setting, of a table or of the enrolments, and what it allows, 0..1: the run has `rows` of `of`.

    One below `floor` rows never stops a run.
    """

    name: str
    table: str
    rows: int
    of: int
    allowed: float
    floor: int = 0

    @property
    def share(self) -> float:
        """0..1."""
        return min(1.0, self.rows / self.of) if self.of else 0.0

    @property
    def is_passed(self) -> bool:
        return self.rows >= self.floor and self.share > self.allowed


def refusals_in(counts: Mapping[str, int]) -> Iterator[Refusal]:
    """All that are counted, also those of no row."""
    for name, rows in counts.items():
        match name.split("."):
            case ["refused", reason]:
                yield Refusal(ENROLMENTS, reason, rows)
            case ["refused", source, reason]:
                yield Refusal(source, reason, rows)


def refused_rows(counts: Mapping[str, int], source: str) -> int:
    """How many rows of a source are refused."""
    return sum(refusal.rows for refusal in refusals_in(counts) if refusal.source == source)


def limit_of_refused(counts: Mapping[str, int], limits: settings.Limits, counted_before: int) -> Limit:
    """Of all enrolments: those that are read, or `counted_before` by the last full run where these are more."""
    of = max(counts["read.enrolments"], counted_before)
    return Limit(REFUSED, ENROLMENTS, refused_rows(counts, ENROLMENTS), of, limits.refused_share)


def limits_of_changes(counts: Mapping[str, int], limits: settings.Limits, sizes: Mapping[str, int]) -> Iterator[Limit]:
    """Of the rows of each table that was compared.

    `sizes` are its rows as the ledger has them, where not all of them were compared.
    """
    for table in (table for table in AGGREGATE_TABLES if table.is_limited and f"stored.{table.name}" in counts):
        size = max(counts[f"stored.{table.name}"], sizes.get(table.name, 0))
        retracted, lowered = counts.get(f"retracted.{table.name}", 0), counts.get(f"lowered.{table.name}", 0)
        yield Limit(RETRACTED, table.name, retracted, size, limits.retracted_share, limits.retracted_floor)
        if table == ACTIVITY_USER_AGG:
            yield Limit(LOWERED, table.name, lowered, size, limits.lowered_share, limits.retracted_floor)
