"""What the report of a run says of earlier ones, on the twin of the store."""

from __future__ import annotations

from datetime import timedelta

from activity_aggregates.protocol.asked import Unit, unit_of
from activity_aggregates.settings import Limits
from activity_aggregates.store.ledger import Ledger, RunRecord
from activity_aggregates.store.records import CHANGED, UNIT_OF_CONTEXTS, UNIT_OF_GROUPS
from jobs.report import full_runs, limits_of
from tests.protocol.still import NOON
from tests.protocol.test_ledger import began, ids, ledger, machine, saved
from tests.unit.test_order import C1, run

__all__ = ["ledger", "machine"]  # fixtures
LIMITS = Limits(refused_share=0.2, retracted_share=0.1, lowered_share=0.1, retracted_floor=5, clock_skew=5)
FULL = began(NOON, "full", counts={"read.enrolments": 200, "after.activity_agg": 50})
OF_SOME = {"read.enrolments": 10, "refused.missing_key": 3, "stored.activity_agg": 1, "retracted.activity_agg": 1}


def after_many(ledger: Ledger) -> RunRecord:
    """One more than the history of a report has, since the full run."""
    many = [began(NOON + timedelta(minutes=n), f"r{n}", command=CHANGED) for n in range(1, 201)]
    last = began(NOON + timedelta(days=1), "last", command=CHANGED, counts=OF_SOME)
    saved(ledger, FULL, *many, last)
    return last


def test_a_run_is_held_against_a_full_one_however_many_came_since(ledger: Ledger) -> None:
    refused, retracted = limits_of(after_many(ledger), LIMITS, ledger)
    assert (refused.rows, refused.of) == (3, 200)
    assert (retracted.rows, retracted.of) == (1, 50)


def test_totals_are_those_of_full_runs_however_many_came_since(ledger: Ledger) -> None:
    last = after_many(ledger)
    saved(ledger, began(NOON + timedelta(days=2), "later"), began(NOON - timedelta(days=400), "long ago"))
    assert ids(full_runs(last, ledger, ledger.until(last, 200))) == ["full"]


def test_the_rows_of_a_unit_are_those_of_its_contexts_and_of_groups_those_of_none() -> None:
    assert unit_of(run(1, scope=C1, unit=UNIT_OF_CONTEXTS)) == Unit(frozenset({"cb:b1"}))
    assert unit_of(run(1, scope=C1, unit=UNIT_OF_GROUPS)) == Unit()
    assert unit_of(run(1, scope=C1)) is None
