"""The limits that stop a run before its first write: a broken source must not empty or lower the dashboards."""

from __future__ import annotations

from collections.abc import Mapping

from activity_aggregates import settings
from activity_aggregates.errors import CheckFailed
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.report.limits import LOWERED, limit_of_refused, limits_of_changes
from metrics.refusals import ENROLMENT_REASONS

_KEPT = "look into the quarantine"
_NOT_KEPT = "a run without --dry-run keeps them in the quarantine, where to look"


def check_refused_share(
    counts: Mapping[str, int], limits: settings.Limits, counted_before: int, steps: Steps, *, are_kept: bool
) -> None:
    """Stop a run that refuses too many of all enrolments, those that it or the last full run counted.

    `are_kept` says whether the refused are in quarantine by now.
    """
    limit = limit_of_refused(counts, limits, counted_before)
    if not limit.rows:
        return
    reasons = ", ".join(
        f"{counts[f'refused.{reason}']} {reason}" for reason in ENROLMENT_REASONS if counts.get(f"refused.{reason}")
    )
    if limit.is_passed:
        raise CheckFailed(
            f"{limit.rows} of {limit.of} enrolments are refused ({reasons}), more than limits.{limit.name} "
            f"{limit.allowed:g} allows, so nothing was written: {_KEPT if are_kept else _NOT_KEPT}, "
            f"or allow it with --set limits.{limit.name}={_enough(limit.share)}"
        )
    steps.say(f"{limit.rows} of {limit.of} enrolments are refused: {reasons}")


def check_changes(counts: Mapping[str, int], limits: settings.Limits, sizes: Mapping[str, int]) -> None:
    """Stop a run that would retract, or lower, too much of what is stored.

    `sizes` are the rows of each table as the ledger has them, where not all of them were compared.
    """
    passed = [limit for limit in limits_of_changes(counts, limits, sizes) if limit.is_passed]
    if not passed:
        return
    limit = min(passed, key=lambda each: each.name == LOWERED)  # rows that would go are the greater matter
    does, sources = ("retract", "the sources are")
    if limit.name == LOWERED:
        does, sources = ("lower completedCount in", "the progress source is")
    raise CheckFailed(
        f"the run would {does} {limit.rows} of {limit.of} rows of {limit.table}, more than limits.{limit.name} "
        f"{limit.allowed:g} allows, so nothing was written: check that {sources} complete, "
        f"or allow it with --set limits.{limit.name}={_enough(limit.share)}"
    )


def _enough(share: float) -> str:
    """A limit that allows the share, in hundredths.

    >>> _enough(0.333), _enough(1.0)
    ('0.34', '1.00')
    """
    return f"{min(1.0, int(share * 100 + 1) / 100):.2f}"
