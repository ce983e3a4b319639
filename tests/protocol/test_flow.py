"""The order of events of runs, told one by one on the twin: nothing happens by chance here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.flow import RunRequest
from activity_aggregates.store.opening import LAST
from activity_aggregates.store.records import (
    DRY_RUN,
    INCREMENTAL,
    LOST,
    RUN,
    SUCCEEDED,
    SUPERSEDED,
    VERIFY,
)
from jobs import backfill as backfills
from tests.protocol import history
from tests.protocol.platform import B1, FULL, FULL_AND_WAIT, SINCE, SINCE_AND_WAIT, U1, Platform
from tests.protocol.work import TwinWork
from tests.protocol.world import CONTEXT_ROWS, CONTEXTS, NAMED_PAIRS


def test_an_incremental_run_without_a_base_computes_everything_and_is_a_full_run(platform: Platform) -> None:
    assert (platform.run(SINCE).command, platform.latest.status) == (RUN, SUCCEEDED)
    assert platform.world.stagings[-1].is_everything
    assert platform.is_right()
    platform.do("cb:b1", "u1", 3)
    assert platform.run(SINCE).command == INCREMENTAL
    assert platform.is_right()


@pytest.mark.parametrize("command", [RUN, VERIFY])
def test_a_scope_of_learners_without_a_base_is_refused_with_the_next_step(platform: Platform, command: str) -> None:
    with pytest.raises(BadRequest, match=r"no full run has succeeded yet.*start `activity-aggregates run` without"):
        platform.run(RunRequest(scope=U1, command=command))
    assert platform.world.stagings == []


def test_who_only_verifies_some_learners_needs_no_base(platform: Platform) -> None:
    asked = platform.run(RunRequest(scope=U1, command=VERIFY, dry_run=True))
    assert asked.status == DRY_RUN
    assert platform.world.stagings[-1].base is None


def test_a_file_of_changes_without_a_base_is_refused(platform: Platform) -> None:
    with pytest.raises(BadRequest, match="no full run has succeeded yet"):
        platform.run(RunRequest(changed=NAMED_PAIRS))


def test_a_file_of_changes_leaves_the_watermark_where_it_was(platform: Platform) -> None:
    platform.run(FULL)
    platform.do("cb:b1", "u1", 3)
    platform.do("cb:b3", "u3", 3)
    assert platform.run(RunRequest(changed=NAMED_PAIRS)).scope.describe() == "2 pairs"
    assert not platform.is_right()
    platform.run(SINCE)
    assert platform.is_right()


def test_a_run_of_some_contexts_without_a_base_chooses_them_whole(platform: Platform) -> None:
    platform.run(RunRequest(scope=B1))
    assert platform.world.stagings[-1].base is None
    assert platform.world.stored(CONTEXT_ROWS) == {("cb:b1",): {"enrolled": 3, "done": 3}}


def test_what_a_dead_run_has_staged_is_applied_first_in_its_name(platform: Platform) -> None:
    platform.run(FULL)
    platform.do("cb:b1", "u1", 3)
    dead = platform.run(SINCE, dies_after=1)
    platform.do("cb:b2", "u1", 3)
    platform.run(SINCE_AND_WAIT)
    assert platform.is_right()
    finished = platform.records()[1]
    assert (finished.run_id, finished.status) == (dead.run_id, SUCCEEDED)
    assert finished.message == f"finished by run {platform.latest.run_id}"
    assert platform.world.stagings[-1].since is not None


def test_a_dry_run_completes_nothing(platform: Platform) -> None:
    platform.run(FULL)
    platform.do("cb:b1", "u1", 3)
    platform.run(SINCE, dies_after=1)
    platform.run(replace(SINCE_AND_WAIT, dry_run=True))
    assert platform.records()[1].status == LOST
    assert platform.world.stagings[-1].is_everything, "without a base it shows what a run of everything would change"


def test_the_contexts_of_a_dead_run_that_was_overtaken_are_chosen_whole_once(platform: Platform) -> None:
    platform.run(FULL)
    platform.do("cb:b1", "u1", 3)
    dead = platform.run(RunRequest(scope=B1), dies_after=1)
    platform.do("cb:b2", "u1", 3)
    platform.run(RunRequest(scope=Scope(contexts=frozenset({"cb:b2"})), wait=60.0))
    assert platform.world.stagings[-1].half_written == frozenset()
    assert platform.run(SINCE).settles == {dead.run_id}
    assert platform.world.stagings[-1].half_written == B1.contexts
    assert platform.is_right()
    platform.run(SINCE)
    assert platform.world.stagings[-1].half_written == frozenset()


def test_resuming_what_may_not_be_finished_says_so_and_supersedes_it(platform: Platform) -> None:
    platform.run(FULL)
    platform.do("cb:b1", "u1", 3)
    dead = platform.run(RunRequest(scope=B1), dies_after=1)
    platform.do("cb:b2", "u1", 3)
    platform.run(RunRequest(scope=Scope(contexts=frozenset({"cb:b2"})), wait=60.0))
    said = platform.told_by(RunRequest(resume=dead.run_id))
    assert f"run {dead.run_id} cannot be finished any more, as run" in said
    assert "has begun to write since; start a new run: nothing more was written" in said
    assert platform.records()[1].status == SUPERSEDED
    assert platform.told_by(RunRequest(resume=LAST)).startswith("nothing to resume")


def test_a_run_that_has_died_is_resumed_when_its_lease_has_expired(platform: Platform) -> None:
    dead = platform.run(FULL, dies_after=4)
    assert platform.run(RunRequest(resume=LAST)).run_id == dead.run_id
    assert platform.latest.status == SUCCEEDED
    assert platform.is_right()


def test_a_lease_that_a_failed_run_has_left_to_expire_is_waited_for_whatever_wait_says(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(TwinWork, "apply", _failing)
        with pytest.raises(Unreachable):
            platform.run(FULL)
    assert platform.latest.status == "failed"
    assert platform.run(FULL).status == SUCCEEDED, "a retry must not do nothing and say that all is well"


def _failing(*_: object) -> None:
    raise Unreachable("a write was not acknowledged")


def test_a_lease_of_a_run_at_work_is_not_waited_for_unless_it_is_asked_for(platform: Platform) -> None:
    platform.run(FULL, dies_after=2)  # killed: it ended without a word
    assert "is under way, so this one did nothing" in platform.told_by(FULL)
    assert platform.run(FULL_AND_WAIT).status == SUCCEEDED


@pytest.mark.parametrize("request_", [FULL, RunRequest(scope=B1)], ids=["of everything", "of a context"])
def test_a_run_with_an_older_as_of_is_superseded_and_writes_nothing(platform: Platform, request_: RunRequest) -> None:
    first = platform.run(request_)
    before = platform.world.stored(CONTEXT_ROWS)
    platform.do("cb:b1", "u1", 3)
    stale = replace(request_, as_of=first.as_of.replace(year=2025))
    assert "superseded by run" in platform.told_by(stale)
    assert (platform.latest.status, platform.latest.counts["written"]) == (SUPERSEDED, 0)
    assert platform.world.writes.get(platform.latest.run_id) is None
    assert platform.world.stored(CONTEXT_ROWS) == before


def test_a_backfill_is_computed_once(platform: Platform) -> None:
    platform.backfill("cb:b1", "cb:b2", "cb:b3")
    assert len(platform.world.stagings) == 1
    assert [run.scope.describe() for run in platform.records()[::-1]] == ["cb:b1", "cb:b2", "cb:b3", "3 contexts"]
    assert {run.status for run in platform.records()} == {SUCCEEDED}
    assert len({run.write_time for run in platform.records()}) == 1
    assert platform.is_right()


def test_units_that_were_not_begun_are_no_dead_runs_and_the_rest_is_computed_anew(platform: Platform) -> None:
    platform.run(FULL)
    for context in CONTEXTS:
        platform.do(context, "u1", 3)
    platform.backfill(*CONTEXTS, dies_after=3)
    assert [(run.scope.describe(), run.status) for run in platform.records()[:2][::-1]] == [
        ("cb:b1", SUCCEEDED),
        ("cb:b2", "applying"),
    ]
    said = platform.backfill(*CONTEXTS)
    assert "stopped while it was writing, and goes on" in said
    assert [asked.done_contexts for asked in platform.world.stagings[-2:]] == [frozenset(), {"cb:b1", "cb:b2"}]
    assert platform.is_right()


def test_where_another_run_has_been_there_meanwhile_what_is_left_is_computed_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source changes there and back: the other run finds right what the backfill has found wrong."""
    platform.run(FULL)
    for context in CONTEXTS:
        platform.do(context, "u1", 3)

    def meanwhile() -> None:
        platform.do("cb:b3", "u1", 1)
        platform.within(partial(history.run, SINCE))

    _after_the_first_unit(monkeypatch, meanwhile)
    platform.backfill(*CONTEXTS)
    assert [asked.done_contexts for asked in platform.world.stagings[1:]] == [frozenset(), frozenset(), {"cb:b1"}]
    assert platform.world.stored(CONTEXT_ROWS)["cb:b3",] == {"enrolled": 3, "done": 3}
    assert platform.is_right()


def _after_the_first_unit(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    do_next, did = backfills._do_next, list[object]()

    def then(*given: Any) -> Any:
        found = do_next(*given)
        did.append(found)
        if len(did) == 1:
            happens()
        return found

    monkeypatch.setattr(backfills, "_do_next", then)
