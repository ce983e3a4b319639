"""What `runs` says below its table, over records."""

from __future__ import annotations

from datetime import timedelta

from activity_aggregates.store.records import INCREMENTAL
from jobs.runs import ages
from tests.unit.test_order import run

NOW = run(0).as_of + timedelta(hours=30)
FULL = "the last full success, r1, is as of 29.0 hours ago"


def test_an_incremental_success_makes_the_last_full_one_no_younger() -> None:
    said = ages(run(1), run(29, command=INCREMENTAL), NOW)
    assert said.splitlines() == [FULL, "the last success, r29, is as of 1.0 hours ago"]


def test_one_age_is_told_where_the_last_success_was_full() -> None:
    assert ages(run(1), run(1), NOW) == FULL


def test_without_a_full_success_it_says_so() -> None:
    assert ages(None, None, NOW) == "no full run has succeeded yet"
