"""Who may start from what, who is completed and who is superseded: sentences of the contract, on literal records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_aggregates.protocol import order
from activity_aggregates.protocol.order import Base, NoBase, Present
from activity_aggregates.request.scope import EVERYTHING, Scope, SealedLearners
from activity_aggregates.store.records import (
    APPLYING,
    CHANGED,
    DRY_RUN,
    ERASE,
    FAILED,
    HELD,
    INCREMENTAL,
    INTERRUPTED,
    LOST,
    RUN,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    SUPERSEDED,
    UNKEPT,
    VERIFY,
    RunRecord,
)

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = Present("rules 1", "1.0")
C1, C2 = Scope(contexts=frozenset({"cb:b1"})), Scope(contexts=frozenset({"cb:b2"}))
BOTH = Scope(contexts=frozenset({"cb:b1", "cb:b2"}))
OF_A_GROUP = Scope(groups=frozenset({"g1"}))
OF_LEARNERS = Scope(learners=SealedLearners(2, "digest"))


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def run(
    hour: float, status: str = SUCCEEDED, command: str = RUN, scope: Scope = EVERYTHING, **changes: Any
) -> RunRecord:
    """A run that began at this hour and whose snapshot is of then; what has a status of work was writing."""
    wrote = status in (SUCCEEDED, APPLYING, FAILED, INTERRUPTED, LOST)
    record = RunRecord(
        run_id=f"r{hour:g}", command=command, status=status, staged=wrote and command != ERASE, as_of=at(hour),
        sequence=0, scope=scope, started_at=at(hour), finished_at=at(hour + 0.1), staging_dir=f"runs/r{hour:g}",
        counts={}, phases={}, settings_digest="", code_version="1.0", message="", definitions="rules 1",
        began_writing=wrote,
    )  # fmt: skip
    return replace(record, **changes)


def base(*runs: RunRecord, present: Present = NOW) -> Base:
    found = order.base_of(runs, present)
    assert isinstance(found, Base), found
    return found


def no_base(*runs: RunRecord, present: Present = NOW) -> str:
    found = order.base_of(runs, present)
    assert isinstance(found, NoBase), found
    return found.reason


# The base.


def test_differences_start_from_the_last_full_run_that_succeeded() -> None:
    assert base(run(1), run(2), run(3, scope=C1)).full.run_id == "r2"


def test_the_last_one_is_the_last_by_write_time_and_not_by_its_start() -> None:
    assert base(run(1, as_of=at(5)), run(2)).full.run_id == "r1"


@pytest.mark.parametrize("status", [RUNNING, STOPPED, DRY_RUN, SUPERSEDED])
def test_a_run_that_wrote_nothing_is_no_base_and_spoils_none(status: str) -> None:
    assert base(run(1), run(2, status)).full.run_id == "r1"
    assert no_base(run(2, status)) == "no full run has succeeded yet"


@pytest.mark.parametrize(
    ("command", "scope"), [(INCREMENTAL, EVERYTHING), (ERASE, EVERYTHING), (CHANGED, EVERYTHING), (RUN, C1)]
)
def test_what_has_not_read_everything_is_no_base(command: str, scope: Scope) -> None:
    assert no_base(run(1, command=command, scope=scope)) == "no full run has succeeded yet"


def test_a_verify_that_has_repaired_everything_has_read_everything() -> None:
    assert base(run(1), run(2, command=VERIFY)).full.run_id == "r2"


def test_the_watermark_is_that_of_the_last_full_or_incremental_success() -> None:
    runs = [run(1), run(2, command=INCREMENTAL), run(3, command=CHANGED, scope=OF_LEARNERS), run(4, scope=C1)]
    assert base(*runs).watermark == at(2)
    assert base(*runs[:1], *runs[2:]).watermark == at(1)


def test_a_base_is_of_todays_definitions() -> None:
    assert "run r1 computed by other definitions" in no_base(run(1, definitions="rules 0"))


def test_every_run_that_wrote_since_is_of_todays_definitions() -> None:
    assert "run r2 computed by other" in no_base(run(1), run(2, scope=C1, definitions="rules 0"))
    nothing_to_write = run(2, scope=C1, definitions="rules 0", began_writing=False)
    assert base(run(1), nothing_to_write).full.run_id == "r1"


def test_records_of_earlier_versions_have_no_definitions_and_are_no_base() -> None:
    assert "run r1 computed by other definitions" in no_base(run(1, definitions=""))


def test_a_base_left_nothing_newer() -> None:
    assert "run r1 left 3 stored entries that are newer" in no_base(run(1, counts={"newer.activity_agg": 3}))


@pytest.mark.parametrize("command", [INCREMENTAL, RUN])
def test_every_run_that_wrote_since_left_nothing_newer(command: str) -> None:
    assert "run r2 left 1" in no_base(run(1), run(2, command=command, scope=C1, counts={"newer.activity_agg": 1}))


def test_an_incremental_run_that_left_newer_entries_spoils_it_although_it_wrote_nothing() -> None:
    left = run(2, command=INCREMENTAL, counts={"newer.activity_agg": 1}, began_writing=False)
    assert "run r2 left 1" in no_base(run(1), left)


def test_a_full_run_with_an_older_as_of_than_a_dead_one_is_superseded_and_no_base() -> None:
    dead, older = run(3, LOST), run(4, as_of=at(2))
    assert order.superseding(older, EVERYTHING, [dead]) == dead
    assert no_base(run(1), dead, replace(older, status=SUPERSEDED, began_writing=False)).startswith("run r3, which is")


# Dead runs.


def test_who_died_before_writing_left_nothing() -> None:
    assert order.left_half_written([run(1), run(2, LOST, began_writing=False)]) == []
    assert base(run(1), run(2, LOST, began_writing=False)).full.run_id == "r1"


@pytest.mark.parametrize("status", [APPLYING, FAILED, INTERRUPTED, LOST, SUPERSEDED])
def test_who_was_writing_is_half_written_whatever_became_of_it(status: str) -> None:
    dead = run(2, status, began_writing=True)
    assert order.left_half_written([run(1), dead]) == [dead]


def test_a_full_run_puts_right_what_dead_runs_have_left() -> None:
    assert order.left_half_written([run(1), run(2, LOST), run(3)]) == []


def test_an_incremental_run_does_not_put_right_what_a_dead_one_has_left() -> None:
    assert order.left_half_written([run(1), run(2, LOST), run(3, command=INCREMENTAL)]) == [run(2, LOST)]


def test_a_run_that_waited_is_in_the_order_by_when_it_held_the_lease() -> None:
    asked_first_died_last = run(1.5, LOST, started_at=at(3), as_of=at(3), scope=EVERYTHING)
    assert order.left_half_written([run(1), run(2), asked_first_died_last]) == [asked_first_died_last]
    assert no_base(run(1), run(2), asked_first_died_last).startswith("run r1.5, which is lost")


def test_where_the_scope_of_a_dead_run_names_its_contexts_there_is_a_base_and_they_are_chosen_whole() -> None:
    runs = [run(1), run(2, LOST, scope=BOTH)]
    assert base(*runs).full.run_id == "r1"
    assert order.half_written_contexts(runs, EVERYTHING) == {"r2": BOTH.contexts}
    assert order.settled_by(runs, EVERYTHING) == {"r2"}


@pytest.mark.parametrize(
    "scope", [EVERYTHING, OF_LEARNERS, OF_A_GROUP, Scope(activities=frozenset({("Course", "c1")}))]
)
def test_where_it_names_none_there_is_no_base(scope: Scope) -> None:
    assert no_base(run(1), run(2, LOST, scope=scope)).endswith(
        "has left half-written rows, and its scope names no contexts"
    )


def test_a_scope_of_learners_in_a_context_names_it() -> None:
    dead = run(2, LOST, scope=replace(C1, learners=SealedLearners(1, "digest")))
    assert order.half_written_contexts([run(1), dead], OF_LEARNERS) == {"r2": C1.contexts}


def test_a_run_of_some_contexts_chooses_those_of_them_whole_that_are_half_written() -> None:
    runs = [run(1), run(2, LOST, scope=BOTH)]
    assert order.half_written_contexts(runs, C1) == {"r2": C1.contexts}
    assert order.settled_by(runs, C1) == frozenset()
    assert order.half_written_contexts(runs, Scope(contexts=frozenset({"cb:b9"}))) == {}
    assert order.half_written_contexts(runs, OF_A_GROUP) == {}


def test_what_was_chosen_whole_by_a_run_that_succeeded_is_put_right() -> None:
    runs = [run(1), run(2, LOST, scope=C1), run(3, command=INCREMENTAL, settles=frozenset({"r2"}))]
    assert order.left_half_written(runs) == []
    runs[-1] = replace(runs[-1], status=FAILED)
    assert [dead.run_id for dead in order.left_half_written(runs)] == ["r2", "r3"]


def test_the_definitions_of_a_dead_run_that_was_chosen_whole_do_not_matter() -> None:
    assert base(run(1), run(2, LOST, scope=C1, definitions="rules 0")).full.run_id == "r1"


# Who is completed.


def test_the_last_run_that_has_begun_to_write_is_completed_first() -> None:
    dead = run(2, LOST)
    assert order.completed_first([run(1), dead], NOW) == dead
    assert order.to_resume([run(1), dead]) == dead


def test_of_two_dead_runs_neither_is_completed_first_and_there_is_no_base() -> None:
    runs = [run(1), run(2, LOST), run(3, LOST)]
    assert order.why_not_completed(runs[1], runs, NOW) == "run r3 has begun to write since"
    assert order.completed_first(runs, NOW) == runs[2]
    then = [*runs[:2], replace(runs[2], status=SUCCEEDED)]
    assert order.completed_first([*then[:2], replace(runs[2], status=SUCCEEDED, command=INCREMENTAL)], NOW) is None
    assert order.left_half_written(then) == []


def test_whoever_has_begun_to_write_since_stands_in_the_way_also_where_it_has_succeeded() -> None:
    runs = [run(1), run(2, LOST), run(3, scope=C1)]
    assert order.why_not_completed(runs[1], runs, NOW) == "run r3 has begun to write since"
    assert order.completed_first(runs, NOW) is None
    runs[2] = replace(runs[2], began_writing=False)
    assert order.why_not_completed(runs[1], runs, NOW) == "run r3 has found rows right since"
    runs[2] = replace(runs[2], status=FAILED)
    assert order.completed_first(runs, NOW) == runs[1]


def test_a_later_start_with_an_older_as_of_stands_in_the_way_too() -> None:
    runs = [run(1), run(2, LOST, scope=C1), run(3, scope=C2, as_of=at(1.5))]
    assert order.why_not_completed(runs[1], runs, NOW) == "run r3 has begun to write since"


@pytest.mark.parametrize("present", [Present("rules 2", "1.0"), Present("rules 1", "1.1")])
def test_what_was_computed_by_other_definitions_or_another_version_is_not_applied(present: Present) -> None:
    assert order.why_not_completed(run(2, LOST), [run(1)], present) == (
        "it computed by other definitions or another version"
    )


def test_what_was_staged_before_an_erase_is_never_applied_after_it() -> None:
    dead = run(2, LOST)
    assert order.why_not_completed(dead, [run(1), run(3, command=ERASE, scope=OF_LEARNERS)], NOW) is not None
    hashes_only = Present("rules 1", "1.0", erased_at=at(2.5))
    assert order.why_not_completed(dead, [run(1)], hashes_only) == (
        "it began before learners were erased, whom it may name"
    )


def test_a_superseded_run_is_not_completed() -> None:
    dead = run(2, SUPERSEDED, began_writing=True)
    assert order.completed_first([run(1), dead], NOW) is None
    assert order.to_resume([run(1), dead]) is None


# Dead erases.


def test_a_dead_erase_is_finished_only_by_erase_until_then_there_is_no_base() -> None:
    dead = run(2, LOST, command=ERASE, scope=OF_LEARNERS)
    runs = [run(1), dead]
    assert order.why_not_completed(dead, runs, NOW) == "an erase is finished by `erase`"
    assert order.completed_first(runs, NOW) is None
    assert no_base(*runs) == no_base(*runs, run(3)) == "an erase has died, and only `erase` finishes it"
    finished = run(4, command=ERASE, scope=OF_LEARNERS, settles=frozenset({"r2"}))
    assert base(*runs, finished).full.run_id == "r1"


def test_an_erase_that_has_not_kept_all_of_its_ids_is_finished_by_one_for_the_same() -> None:
    dead = run(2, LOST, command=ERASE, scope=OF_LEARNERS, counts={UNKEPT: 2})
    others = Scope(learners=SealedLearners(2, "of others"))
    by_others = run(3, command=ERASE, scope=others, settles=frozenset({"r2"}))
    assert no_base(run(1), dead, by_others) == "an erase has died, and only `erase` finishes it"
    assert base(run(1), dead, by_others, run(4, command=ERASE, scope=OF_LEARNERS)).full.run_id == "r1"


def test_what_gives_a_base_after_a_dead_erase_is_the_erase() -> None:
    found = order.base_of([run(1), run(2, LOST, command=ERASE)], NOW)
    assert isinstance(found, NoBase)
    assert found.next_step == "start it again with the same ids first"


def test_a_dead_erase_is_known_of_long_after() -> None:
    counts = {order.DEAD_ERASE: 1}
    assert no_base(run(100, counts=counts)) == "an erase has died, and only `erase` finishes it"
    assert base(run(100, counts=counts), run(101, command=ERASE, scope=OF_LEARNERS)).full.run_id == "r100"


def test_an_erase_that_was_taken_for_dead_and_succeeded_all_the_same_is_finished() -> None:
    """Its lease had expired, so that a run began which counted it; then it said that it had succeeded."""
    erase, counting = run(2, command=ERASE, scope=OF_LEARNERS), run(3, counts={order.DEAD_ERASE: 1})
    assert base(run(1), erase, counting).full.run_id == "r3"


def test_an_erase_that_finishes_a_dead_one_has_counted_it_and_is_none_itself() -> None:
    dead = run(2, LOST, command=ERASE, scope=OF_LEARNERS)
    finishing = run(3, command=ERASE, scope=OF_LEARNERS, counts={order.DEAD_ERASE: 1}, settles=frozenset({"r2"}))
    assert base(run(1), dead, finishing).full.run_id == "r1"
    died_too = replace(finishing, status=LOST)
    assert no_base(run(1), dead, died_too) == "an erase has died, and only `erase` finishes it"


# Entries that another writer holds.


def test_entries_that_another_writer_holds_are_no_base() -> None:
    assert no_base(run(1, counts={HELD: 2})) == "run r1 left 2 stored entries that are newer than its snapshot"


def test_who_comes_after_a_run_that_did_not_get_through_reads_back_until_one_does() -> None:
    held = run(1, counts={HELD: 2})
    assert order.left_held([held])
    assert order.left_held([run(0), held, run(2, scope=C1)])
    assert not order.left_held([held, run(2)])
    assert not order.left_held([])


def test_a_run_of_an_earlier_instant_reads_back_and_the_units_of_one_backfill_do_not() -> None:
    earlier, later = run(1), run(3)
    assert order.is_of_earlier_instant(run(2), [earlier, later])
    assert order.is_of_earlier_instant(replace(run(4), as_of=later.as_of), [later])
    assert not order.is_of_earlier_instant(run(4), [earlier, later])
    unit = replace(run(4), as_of=later.as_of, staging_dir=later.staging_dir)
    assert not order.is_of_earlier_instant(unit, [later])
    looked = [run(5, DRY_RUN, command=VERIFY), run(6, STOPPED), run(7, RUNNING)]
    assert not order.is_of_earlier_instant(run(4), looked)


# Who is superseded.


@pytest.mark.parametrize("scope", [EVERYTHING, C1, OF_LEARNERS])
def test_a_run_is_superseded_by_a_later_success_over_an_intersecting_scope(scope: Scope) -> None:
    later = run(5, scope=scope)
    assert order.superseding(run(6, as_of=at(4), scope=C1), C1, [later]) == later


def test_scopes_that_do_not_meet_supersede_nothing() -> None:
    assert order.superseding(run(6, as_of=at(4), scope=C1), C1, [run(5, scope=C2)]) is None


def test_who_has_put_others_right_was_wider_than_its_scope() -> None:
    later = run(5, scope=C2, settles=frozenset({"r3"}))
    assert order.superseding(run(6, as_of=at(4), scope=C1), C1, [later]) == later


@pytest.mark.parametrize("status", [STOPPED, DRY_RUN, SUPERSEDED, RUNNING])
def test_what_wrote_nothing_supersedes_nothing(status: str) -> None:
    assert order.superseding(run(6, as_of=at(4)), EVERYTHING, [run(5, status)]) is None


def test_of_runs_of_one_as_of_the_one_that_came_later_wins() -> None:
    first, second = run(5), run(6, as_of=at(5), sequence=1)
    assert order.superseding(second, EVERYTHING, [first]) is None
    assert order.superseding(first, EVERYTHING, [second]) == second


# The sizes of tables.


def test_a_table_is_as_large_as_the_last_full_run_left_it_with_what_came_and_went_since() -> None:
    full = run(1, counts={"after.activity_agg": 10, "after.activity_user_agg": 100, "retracted.activity_agg": 4})
    grown = run(2, command=INCREMENTAL, counts={"added.activity_user_agg": 60, "retracted.activity_user_agg": 5})
    failed = run(3, FAILED, counts={"added.activity_user_agg": 1000})
    assert order.table_sizes([full, grown, failed]) == {"activity_agg": 10, "activity_user_agg": 155}


def test_without_a_full_run_no_size_is_known() -> None:
    assert order.table_sizes([run(1, scope=C1, counts={"after.activity_agg": 3})]) == {}
