"""What the ledger says of runs, on the twin of the store and a clock that stands still."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from activity_aggregates.errors import CheckFailed, Unreachable
from activity_aggregates.request.scope import Scope, SealedLearners
from activity_aggregates.store.ledger import Ledger, RunRecord, new_run_id
from activity_aggregates.store.records import (
    APPLYING,
    DRY_RUN,
    FAILED,
    INCREMENTAL,
    LOST,
    RUN,
    RUNNING,
    SUCCEEDED,
    VERIFY,
    to_columns,
)
from tests.protocol.still import NOON, StillMachine
from tests.unit.test_order import C1, run

DAY = timedelta(days=1)


@pytest.fixture
def machine() -> StillMachine:
    machine = StillMachine()
    machine.now = lambda: NOON + timedelta(days=10, seconds=machine.seconds)  # type: ignore[method-assign]
    return machine


@pytest.fixture
def ledger(machine: StillMachine) -> Ledger:
    return of(machine)


def of(machine: StillMachine) -> Ledger:
    session: Any = machine
    return Ledger(session, "twin", "aggregate_runs", machine)


def saved(ledger: Ledger, *runs: RunRecord) -> Ledger:
    for each in runs:
        ledger.save(each)
    return ledger


def began(at: datetime, run_id: str, **changes: Any) -> RunRecord:
    return run(0, **{"run_id": run_id, "started_at": at, "as_of": at, **changes})


def ids(runs: list[RunRecord]) -> list[str]:
    return [each.run_id for each in runs]


def test_an_id_sorts_by_time_and_is_nobody_elses() -> None:
    assert new_run_id(NOON).startswith("20260101T120000Z-")
    assert len(new_run_id(NOON)) == len("20260101T120000Z-3f9a2c")
    assert new_run_id(NOON) != new_run_id(NOON)


def test_runs_are_found_newest_first_by_their_id_and_by_their_command(ledger: Ledger) -> None:
    saved(ledger, run(1), run(2, command=INCREMENTAL), run(3, command=INCREMENTAL))
    assert ids(ledger.recent(2)) == ["r3", "r2"]
    assert ids(ledger.of_command(INCREMENTAL)) == ["r2", "r3"]
    assert ledger.latest() == run(3, command=INCREMENTAL)
    assert ledger.get("r2") == run(2, command=INCREMENTAL)
    assert ledger.get("r9") is None


def test_of_an_empty_ledger_there_is_nothing(ledger: Ledger) -> None:
    assert (ledger.latest(), ledger.last_success(), ledger.last_full_success()) == (None,) * 3
    assert (ledger.recent(9), ledger.history(), ledger.mark_lost(NOON, lambda: None)) == ([], [], None)


def test_a_run_and_those_before_it(ledger: Ledger) -> None:
    saved(ledger, *(run(hour) for hour in range(5)))
    assert ids(ledger.until(run(3), 3)) == ["r3", "r2", "r1"]


def test_the_last_of_each_kind(ledger: Ledger) -> None:
    saved(
        ledger, run(1), run(2, command=INCREMENTAL), run(3, scope=C1), run(4, FAILED), run(5, DRY_RUN), run(6, RUNNING),
        run(7, APPLYING),
    )  # fmt: skip
    found = (ledger.last_success(), ledger.last_full_success())
    assert found == (run(2, command=INCREMENTAL), run(1))


def test_history_goes_back_to_a_day_before_the_last_full_success_and_its_snapshot(ledger: Ledger) -> None:
    full = began(NOON, "full", as_of=NOON - timedelta(hours=6))
    until = NOON - timedelta(hours=30)
    saved(
        ledger, began(NOON + DAY, "later", command=INCREMENTAL), full, began(NOON - DAY, "a full one before it"),
        began(until, "a day before its snapshot"), began(until - timedelta(seconds=1), "too long before it"),
    )  # fmt: skip
    assert ids(ledger.history()) == ["later", "full", "a full one before it", "a day before its snapshot"]


def test_history_goes_back_to_a_day_before_a_start_that_is_before_its_snapshot(ledger: Ledger) -> None:
    ahead = began(NOON, "full", as_of=NOON + timedelta(hours=2))
    saved(ledger, ahead, began(NOON - DAY, "a day before"), began(NOON - DAY - timedelta(seconds=1), "too long before"))
    assert ids(ledger.history()) == ["full", "a day before"]


def test_history_before_a_run_is_what_it_knew_when_it_started(ledger: Ledger) -> None:
    saved(ledger, began(NOON - 3 * DAY, "first full"), began(NOON, "full"), began(NOON + DAY, "later"))
    saved(ledger, *(began(NOON - hours * DAY / 24, f"{hours} h", command=INCREMENTAL) for hours in (2, 80)))
    assert ids(ledger.history(before=began(NOON, "full"))) == ["2 h", "first full", "80 h"]


def test_without_a_full_success_history_is_everything(ledger: Ledger) -> None:
    runs = [began(NOON - day * DAY, f"{day} days ago", status=FAILED) for day in range(40)]
    assert len(saved(ledger, *runs).history()) == 40


def test_runs_that_end_no_more_are_lost_with_a_reason(ledger: Ledger) -> None:
    checks: list[str] = []
    saved(ledger, run(1, APPLYING), run(2, FAILED), run(3, RUNNING), run(4))
    assert ledger.mark_lost(NOON, lambda: checks.append("held")) == run(4)
    by_id = {each.run_id: each for each in ledger.recent(9)}
    assert [by_id[f"r{hour}"].status for hour in (1, 2, 3, 4)] == [LOST, FAILED, LOST, SUCCEEDED]
    assert (by_id["r1"].finished_at, by_id["r1"].staged) == (NOON, True)
    assert by_id["r1"].message == "it ended without a word, and its lease has expired"
    assert len(checks) == 2


def test_who_has_lost_its_lease_marks_nothing(ledger: Ledger) -> None:
    def lost() -> None:
        raise Unreachable("the lease was lost")

    saved(ledger, run(1, RUNNING))
    with pytest.raises(Unreachable):
        ledger.mark_lost(NOON, lost)
    assert ledger.latest() == run(1, RUNNING)


def test_a_run_that_is_older_than_a_hundred_others_stays_as_it_is(ledger: Ledger) -> None:
    saved(ledger, run(0, RUNNING), run(1, RUNNING), *(run(hour) for hour in range(2, 101)))
    ledger.mark_lost(NOON, lambda: None)
    assert [each.status for each in ledger.recent(102)[-2:]] == [LOST, RUNNING]


def test_records_are_found_over_the_turn_of_years_and_a_gap_of_two(ledger: Ledger) -> None:
    long_ago, before = NOON.replace(year=2020), NOON.replace(year=2023)
    saved(ledger, began(long_ago, "long ago"), began(before, "before"), began(NOON, "now"))
    assert ids(ledger.recent(9)) == ["now", "before", "long ago"]


def test_after_two_years_without_a_run_there_may_be_another_one(ledger: Ledger) -> None:
    assert ids(saved(ledger, began(NOON.replace(year=2024), "two years ago")).recent(9)) == ["two years ago"]
    assert ids(saved(ledger, began(NOON.replace(year=2021), "before that")).recent(9)) == [
        "two years ago",
        "before that",
    ]


def test_three_empty_years_are_the_end(ledger: Ledger) -> None:
    saved(ledger, began(NOON, "now"), began(NOON.replace(year=2022), "too long ago"))
    assert ids(ledger.recent(9)) == ["now"]


def test_a_run_whose_clock_was_a_day_ahead_at_the_turn_of_a_year_is_found(machine: StillMachine) -> None:
    machine.now = lambda: datetime.fromisoformat("2025-12-31T18:00:00+00:00")  # type: ignore[method-assign]
    assert ids(saved(of(machine), began(NOON, "ahead")).recent(9)) == ["ahead"]


def test_a_run_that_started_up_to_a_day_before_an_instant_may_have_it(ledger: Ledger) -> None:
    saved(ledger, began(NOON, "a"), began(NOON - DAY, "b"), began(NOON - DAY - timedelta(seconds=1), "c"))
    assert ids(list(ledger.since(NOON))) == ["a", "b"]


def test_runs_of_one_instant_are_counted_up_to_a_thousand(machine: StillMachine) -> None:
    ledger = of(machine)
    saved(ledger, *(began(NOON + timedelta(seconds=number), f"{number}", as_of=NOON) for number in range(999)))
    saved(ledger, began(NOON, "of another", as_of=NOON - DAY))
    assert ledger.runs_as_of(NOON) == 999
    saved(ledger, began(NOON + DAY, "the last", as_of=NOON))
    with pytest.raises(CheckFailed, match=r"^1000 runs have as_of 2026-01-01T12:00:00\+00:00 already: take another"):
        ledger.runs_as_of(NOON)


def test_a_record_is_written_over_an_older_one_whatever_the_clock_says(machine: StillMachine) -> None:
    saved(of(machine), run(1, RUNNING))
    machine.seconds = -3600.0
    ledger = of(machine)
    assert ledger.get("r1") == run(1, RUNNING)
    saved(ledger, run(1, APPLYING), run(1))
    assert of(machine).latest() == run(1)
    table = machine.store.table("aggregate_runs")
    written = {cell.written for cells in table.rows.values() for cell in cells.values() if cell.value is not None}
    at = round((NOON + timedelta(days=10)).timestamp() * 1_000_000)
    assert written == {at + 2}


def test_a_record_that_was_never_read_is_written_at_the_time_of_the_clock(machine: StillMachine) -> None:
    saved(of(machine), run(1))
    (cells,) = machine.store.table("aggregate_runs").rows.values()
    assert {cell.written for cell in cells.values()} == {round((NOON + timedelta(days=10)).timestamp() * 1_000_000)}


def test_statements_may_be_sent_again_and_most_questions_are_answered_by_a_hundred_rows(ledger: Ledger) -> None:
    assert (ledger._insert.is_idempotent, ledger._of_year.is_idempotent) == (True, True)
    assert ledger._of_year.fetch_size == 100


def test_learners_ids_in_scopes_of_earlier_versions_are_taken_out(machine: StillMachine) -> None:
    ledger = saved(of(machine), run(1, scope=C1), run(2), run(3, command=VERIFY))
    columns = to_columns(run(2)) | {"scope": json.dumps({"users": ["u1", "u2"]})}
    names = ", ".join(columns)
    marks = ", ".join("?" for _ in columns)
    statement = f"INSERT INTO twin.aggregate_runs (year, {names}) VALUES (?, {marks}) USING TIMESTAMP ?"
    later = round((NOON + timedelta(days=11)).timestamp() * 1_000_000)
    machine.store.execute(statement, [2026, *columns.values(), later])
    assert ledger.seal_scopes() == 1
    stored = [cells["scope"].value for cells in machine.store.table("aggregate_runs").rows.values()]
    assert [text for text in stored if "u1" in text] == []
    assert of(machine).get("r2") == run(2, scope=Scope(learners=SealedLearners(2, "")))
    assert ledger.seal_scopes() == 0


def test_a_command_of_one_kind_is_not_another(ledger: Ledger) -> None:
    saved(ledger, run(1), run(2, command=VERIFY))
    assert ids(ledger.of_command(RUN)) == ["r1"]
