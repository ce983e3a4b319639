"""The limits that stop a run before its first write: a broken source must not empty or lower the dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activity_aggregates import settings
from activity_aggregates.errors import CheckFailed
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, TargetTable
from metrics.refusals import ENROLMENT_REASONS


def refused_rows(counts: Mapping[str, int], source: str) -> int:
    """How many rows of a source are refused; the reasons of enrolments are counted without their source's name."""
    if source == "enrolments":
        return sum(counts.get(f"refused.{reason}", 0) for reason in ENROLMENT_REASONS)
    return sum(rows for name, rows in counts.items() if name.startswith(f"refused.{source}."))


def check_refused_share(counts: Mapping[str, int], limit: float, counted_before: int, steps: Steps) -> None:
    """Stop a run that refuses too many of all enrolments, those that it or the last full run counted."""
    refused, of = refused_rows(counts, "enrolments"), max(counts["read.enrolments"], counted_before)
    if not of or not refused:
        return
    reasons = ", ".join(
        f"{counts[f'refused.{reason}']} {reason}" for reason in ENROLMENT_REASONS if counts.get(f"refused.{reason}")
    )
    if refused / of > limit:
        raise CheckFailed(
            f"{refused} of {of} enrolments are refused ({reasons}), more than limits.refused_share {limit:g} allows, "
            "so nothing was written: look into the quarantine, "
            f"or allow it with --set limits.refused_share={_enough(refused / of)}"
        )
    steps.say(f"{refused} of {of} enrolments are refused: {reasons}")


def check_changes(
    counts: Mapping[str, int], tables: Sequence[TargetTable], limits: settings.Limits, sizes: Mapping[str, int]
) -> None:
    """Stop a run that would retract, or lower, too much of what is stored.

    `sizes` are the rows of each table as the ledger has them, where not all of them were compared.
    """
    for table in (table for table in tables if table.is_limited):
        retracted, size = counts.get(f"retracted.{table.name}", 0), _size(counts, table, sizes)
        if retracted >= limits.retracted_floor and size and retracted / size > limits.retracted_share:
            raise CheckFailed(
                f"the run would retract {retracted} of {size} rows of {table.name}, more than "
                f"limits.retracted_share {limits.retracted_share:g} allows, so nothing was written: "
                "check that the sources are complete, "
                f"or allow it with --set limits.retracted_share={_enough(retracted / size)}"
            )
    lowered, size = counts.get(f"lowered.{ACTIVITY_USER_AGG.name}", 0), _size(counts, ACTIVITY_USER_AGG, sizes)
    if lowered >= limits.retracted_floor and size and lowered / size > limits.lowered_share:
        raise CheckFailed(
            f"the run would lower completedCount in {lowered} of {size} rows of {ACTIVITY_USER_AGG.name}, more than "
            f"limits.lowered_share {limits.lowered_share:g} allows, so nothing was written: "
            "check that the progress source is complete, "
            f"or allow it with --set limits.lowered_share={_enough(lowered / size)}"
        )


def _size(counts: Mapping[str, int], table: TargetTable, sizes: Mapping[str, int]) -> int:
    return max(counts.get(f"stored.{table.name}", 0), sizes.get(table.name, 0))


def _enough(share: float) -> str:
    """A limit that allows the share, in hundredths.

    >>> _enough(0.333), _enough(1.0)
    ('0.34', '1.00')
    """
    return f"{min(1.0, int(share * 100 + 1) / 100):.2f}"
