"""The limits that stop a run before its first write: a broken source must not empty or lower the dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


_KEPT = "look into the quarantine"
_NOT_KEPT = "a run without --dry-run keeps them in the quarantine, where to look"


def check_refused_share(
    counts: Mapping[str, int], limit: float, counted_before: int, steps: Steps, *, are_kept: bool
) -> None:
    """Stop a run that refuses too many of all enrolments, those that it or the last full run counted.

    `are_kept` says whether the refused are in quarantine by now.
    """
    refused, of = refused_rows(counts, "enrolments"), max(counts["read.enrolments"], counted_before)
    if not of or not refused:
        return
    reasons = ", ".join(
        f"{counts[f'refused.{reason}']} {reason}" for reason in ENROLMENT_REASONS if counts.get(f"refused.{reason}")
    )
    if refused / of > limit:
        raise CheckFailed(
            f"{refused} of {of} enrolments are refused ({reasons}), more than limits.refused_share {limit:g} allows, "
            f"so nothing was written: {_KEPT if are_kept else _NOT_KEPT}, "
            f"or allow it with --set limits.refused_share={_enough(refused / of)}"
        )
    steps.say(f"{refused} of {of} enrolments are refused: {reasons}")


def check_changes(
    counts: Mapping[str, int], tables: Sequence[TargetTable], limits: settings.Limits, sizes: Mapping[str, int]
) -> None:
    """Stop a run that would retract, or lower, too much of what is stored.

    `sizes` are the rows of each table as the ledger has them, where not all of them were compared.
    """
    checks = [_Check("retracted_share", limits.retracted_share, table, "retract", "") for table in tables]
    lowered = _Check("lowered_share", limits.lowered_share, ACTIVITY_USER_AGG, "lower completedCount in", "progress ")
    for check in (*(check for check in checks if check.table.is_limited), lowered):
        _check(check, counts, limits.retracted_floor, sizes)


@dataclass(frozen=True)
class _Check:
    """A limit by its setting and value, and what it says of which rows of a table."""

    setting: str
    share: float
    table: TargetTable
    does: str
    source: str


def _check(check: _Check, counts: Mapping[str, int], floor: int, sizes: Mapping[str, int]) -> None:
    changed = counts.get(f"{check.setting.removesuffix('_share')}.{check.table.name}", 0)
    size = _size(counts, check.table, sizes)
    if changed < floor or not size or changed / size <= check.share:
        return
    sources = f"the {check.source}source is" if check.source else "the sources are"
    raise CheckFailed(
        f"the run would {check.does} {changed} of {size} rows of {check.table.name}, more than "
        f"limits.{check.setting} {check.share:g} allows, so nothing was written: check that {sources} complete, "
        f"or allow it with --set limits.{check.setting}={_enough(changed / size)}"
    )


def _size(counts: Mapping[str, int], table: TargetTable, sizes: Mapping[str, int]) -> int:
    return max(counts.get(f"stored.{table.name}", 0), sizes.get(table.name, 0))


def _enough(share: float) -> str:
    """A limit that allows the share, in hundredths.

    >>> _enough(0.333), _enough(1.0)
    ('0.34', '1.00')
    """
    return f"{min(1.0, int(share * 100 + 1) / 100):.2f}"
