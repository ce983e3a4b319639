"""The limits that stop a run: how much may be refused, retracted and lowered, and what is said of it."""

from __future__ import annotations

import io

import pytest

from activity_aggregates.compute.limits import check_changes, check_refused_share
from activity_aggregates.errors import CheckFailed
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.report.limits import refused_rows
from activity_aggregates.settings import Limits

LIMITS = Limits(refused_share=0.2, retracted_share=0.1, lowered_share=0.1, retracted_floor=5, clock_skew=5)


def refused(of: int, before: int = 0, are_kept: bool = True, **by_reason: int) -> str:
    """What is said of a run that does not stop."""
    said = io.StringIO()
    counts = {f"refused.{reason}": rows for reason, rows in by_reason.items()} | {"read.enrolments": of}
    check_refused_share(counts, LIMITS, before, Steps("plain", out=said), are_kept=are_kept)
    return said.getvalue()


def test_refused_rows_are_those_of_their_source_and_of_enrolments_those_without_one() -> None:
    counts = {"refused.missing_key": 1, "refused.invalid_date": 2, "refused.progress.missing_key": 4, "read.x": 8}
    assert refused_rows(counts, "enrolments") == 3
    assert refused_rows(counts, "progress") == 4
    assert refused_rows(counts, "attempts") == 0


def test_a_share_of_refused_enrolments_up_to_the_limit_is_said_and_one_above_it_stops() -> None:
    assert refused(10, missing_key=1, invalid_status=1) == (
        "2 of 10 enrolments are refused: 1 missing_key, 1 invalid_status\n"
    )
    with pytest.raises(CheckFailed, match=r"3 of 10 enrolments are refused \(3 missing_hierarchy\).*share=0\.31$"):
        refused(10, missing_hierarchy=3)


@pytest.mark.parametrize(
    ("are_kept", "step"), [(True, "look into the quarantine"), (False, "a run without --dry-run keeps them")]
)
def test_who_is_stopped_is_sent_to_the_quarantine_only_where_the_rows_are_in_it(are_kept: bool, step: str) -> None:
    with pytest.raises(CheckFailed, match=f"nothing was written: {step}"):
        refused(10, are_kept=are_kept, missing_hierarchy=3)


def test_the_share_of_a_run_that_looks_at_a_part_is_of_what_the_last_full_run_counted() -> None:
    assert refused(3, before=100, missing_key=3).startswith("3 of 100 enrolments are refused")


def test_nothing_refused_or_nothing_read_is_no_share() -> None:
    assert refused(10) == refused(0) == ""


def test_what_would_be_retracted_is_compared_with_the_rows_stored() -> None:
    check_changes({"retracted.activity_agg": 10, "stored.activity_agg": 100}, LIMITS, {})
    with pytest.raises(CheckFailed, match=r"retract 11 of 100 rows of activity_agg.*retracted_share=0\.12$"):
        check_changes({"retracted.activity_agg": 11, "stored.activity_agg": 100}, LIMITS, {})


def test_a_run_that_looks_at_a_part_is_compared_with_the_size_that_the_ledger_has() -> None:
    counts = {"retracted.activity_agg": 11, "stored.activity_agg": 11}
    check_changes(counts, LIMITS, {"activity_agg": 1000})
    with pytest.raises(CheckFailed, match=r"retract 11 of 50 rows"):
        check_changes(counts, LIMITS, {"activity_agg": 50})


def test_fewer_rows_than_the_floor_stop_nothing() -> None:
    check_changes({"retracted.activity_agg": 4, "stored.activity_agg": 4}, LIMITS, {})
    check_changes({"lowered.activity_user_agg": 4, "stored.activity_user_agg": 4}, LIMITS, {})


def test_completed_counts_that_would_fall_stop_a_run() -> None:
    with pytest.raises(CheckFailed, match=r"lower completedCount in 11 of 100 rows of activity_user_agg.*=0\.12$"):
        check_changes({"lowered.activity_user_agg": 11, "stored.activity_user_agg": 100}, LIMITS, {})
