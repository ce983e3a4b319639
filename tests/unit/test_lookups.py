"""Whether rows are looked up by key or scanned, by what earlier runs have taken."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from activity_aggregates.compute.lookups import LOOKED_UP, Lookups, lookups
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.store.ledger import RunRecord
from tests.harness.records import left_by_a_killed_run


class Keys:
    """In the place of distinct keys, of which only the number matters."""

    def __init__(self, number: int) -> None:
        self.number, self.counted = number, 0

    def count(self) -> int:
        self.counted += 1
        return self.number


def run(counts: dict[str, int], phases: dict[str, float]) -> RunRecord:
    return replace(left_by_a_killed_run(), counts=counts, phases=phases)


def known(last_full: RunRecord | None, sizes: dict[str, int], *recent: RunRecord) -> Lookups:
    return lookups(last_full, sizes, recent, Steps("plain", out=io.StringIO()), {})


def are_cheaper(found: Lookups, table: str, keys: int) -> bool:
    counted: Any = Keys(keys)
    return found.are_cheaper(table, counted)


def test_without_experience_few_keys_are_looked_up_and_many_are_scanned() -> None:
    found = known(None, {"progress": 1_000_000})  # a scan of four seconds, a key of half a millisecond
    assert are_cheaper(found, "progress", 7_999)
    assert not are_cheaper(found, "progress", 8_001)


def test_rows_with_maps_take_longer_to_scan() -> None:
    found = known(None, {"activity_user_agg": 700_000})  # a scan of ten seconds
    assert are_cheaper(found, "activity_user_agg", 19_999)
    assert not are_cheaper(found, "activity_user_agg", 20_001)


def test_of_a_small_or_unknown_table_keys_are_not_even_counted() -> None:
    found, keys = known(None, {"activity_agg": 50_000}), Keys(1)
    counted: Any = keys
    assert not found.are_cheaper("activity_agg", counted)
    assert not found.are_cheaper("progress", counted)
    assert keys.counted == 0


def test_the_last_full_run_tells_the_size_of_sources_and_the_time_of_a_scan_of_progress() -> None:
    full = run({"read.progress": 1_000_000, "read.enrolments": 100_000}, {"read progress": 20.0})
    found = known(full, {"activity_user_agg": 70_000})
    assert (found.rows["progress"], found.rows["enrolments"], found.rows["activity_user_agg"]) == (
        1_000_000, 100_000, 70_000,
    )  # fmt: skip
    assert found.scan_seconds == {"progress": 20.0}
    assert are_cheaper(found, "progress", 39_999)
    assert not are_cheaper(found, "progress", 40_001)


def test_the_newest_run_that_looked_keys_up_tells_the_time_of_one() -> None:
    newest = run({LOOKED_UP + "progress": 1_000}, {"look up progress": 10.0})
    older = run({LOOKED_UP + "progress": 1_000, LOOKED_UP + "enrolments": 1_000}, {"look up progress": 1.0})
    found = known(run({"read.progress": 1_000_000}, {"read progress": 20.0}), {}, newest, older)
    assert found.seconds_per_key == {"progress": 0.01}
    assert are_cheaper(found, "progress", 1_999)
    assert not are_cheaper(found, "progress", 2_001)


def test_a_run_that_looked_few_keys_up_tells_nothing_of_many() -> None:
    of_one_learner = run({LOOKED_UP + "progress": 999}, {"look up progress": 600.0})
    assert known(None, {"progress": 1_000_000}, of_one_learner).seconds_per_key == {}


def test_what_is_looked_up_is_counted_and_what_was_chosen_is_said() -> None:
    found = known(None, {"progress": 1_000_000})
    for keys in (1_000, 9_000, 500):
        are_cheaper(found, "progress", keys)
    assert found.counts == {LOOKED_UP + "progress": 1_500}
    said = found.steps.out
    assert isinstance(said, io.StringIO)
    assert said.getvalue().splitlines()[:2] == [
        "progress: 1,000 keys by key (about 0 s, a scan 4 s)", "progress: 9,000 keys by a scan",
    ]  # fmt: skip


@pytest.mark.parametrize(("number", "is_worth_it"), [(50_000, False), (50_001, True)])
def test_keys_are_worth_counting_where_a_table_has_more_rows_than_a_scan_reads_at_once(
    number: int, is_worth_it: bool
) -> None:
    assert known(None, {"progress": number}).may_be_cheaper("progress") is is_worth_it
