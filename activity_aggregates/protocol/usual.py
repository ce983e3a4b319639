"""What a run will go through, as far as earlier ones tell: for who watches it, and for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activity_aggregates.store.records import DRY_RUN, RUN, SUCCEEDED, RunRecord

# What a run of everything goes through where no earlier one tells more.
OF_EVERYTHING = (
    "start Spark", "open sources", "choose", "read enrolments", "read attempts", "find owners",
    "read activity_user_agg", "read progress", "compare activities and groups", "write",
)  # fmt: skip
_OF_WRITING = ("keep refused rows", "announce completions", "write", "read back")


def usual_phases(runs: Sequence[RunRecord], run: RunRecord, *, is_dry: bool) -> Mapping[str, float]:
    """The phases of a run in their order with the seconds that each took in the newest run like it, 0 if unknown.

    `runs` are earlier ones, newest first; where none is like it, a run of everything has the phases that all such have.
    """
    statuses = (SUCCEEDED, DRY_RUN) if is_dry else (SUCCEEDED,)
    like = next((each for each in runs if each.status in statuses and _is_like(each, run)), None)
    if like is None and not (run.command == RUN and run.scope.is_full):
        return {}
    phases = dict.fromkeys(OF_EVERYTHING, 0.0) if like is None else like.phases
    return {name: seconds for name, seconds in phases.items() if not (is_dry and name in _OF_WRITING)}


def _is_like(one: RunRecord, other: RunRecord) -> bool:
    return (one.command, one.scope.is_full, one.unit) == (other.command, other.scope.is_full, other.unit)
