"""What becomes of runs that have died while they wrote, told one by one on the twin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.run.flow import RunRequest
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.opening import LAST
from activity_aggregates.store.records import INCREMENTAL, LOST, RUN, SUCCEEDED
from tests.protocol import history
from tests.protocol.platform import B1, FULL, SINCE_AND_WAIT, Command, Platform
from tests.protocol.work import Task
from tests.protocol.world import CONTEXTS, LEARNER_ROWS


@pytest.mark.parametrize("finishing", [SINCE_AND_WAIT, RunRequest(resume=LAST, wait=60.0)], ids=["next", "resume"])
def test_what_a_run_staged_is_not_applied_over_rows_that_another_has_found_right(
    platform: Platform, finishing: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An enrolment that was deleted again has no write time: it would come back and stay."""
    platform.run(FULL)
    platform.do("cb:b2", "u1", 3)
    platform.do("cb:b1", "u4", 3)
    with monkeypatch.context() as patched:
        patched.setattr(Task, "_go_on_alone", lambda *_: None)  # so that nothing at all was written
        assert platform.run(FULL, dies_after=0).is_half_written
    del platform.world.sources["cb:b1", "u4"]
    assert not platform.run(RunRequest(scope=B1, wait=60.0)).began_writing
    platform.run(finishing)
    assert ("cb:b1", "u4") not in platform.world.stored(LEARNER_ROWS)


@pytest.mark.parametrize("left", [0, 1], ids=["all", "some"])
@pytest.mark.parametrize("is_resumed", [False, True], ids=["next", "resume"])
def test_staged_rows_that_are_gone_are_not_taken_for_written(platform: Platform, is_resumed: bool, left: int) -> None:
    """A disk that went with its machine, or another configuration's erase in the same directory."""
    platform.run(FULL)
    for context in CONTEXTS:
        platform.do(context, "u1", 3)
    dead = platform.run(FULL, dies_after=1)
    changes, staged_at = platform.world.staged[dead.staging_dir]
    platform.world.staged[dead.staging_dir] = (changes[:left], staged_at)
    if is_resumed:
        assert "or some of them, are gone from" in platform.told_by(RunRequest(resume=LAST, wait=60.0))
    platform.run(SINCE_AND_WAIT)
    assert platform.latest.command == RUN
    assert [run.status for run in platform.records() if run.run_id == dead.run_id] != [SUCCEEDED]
    assert platform.is_right()


def test_a_resume_that_fails_before_it_has_begun_leaves_the_record_of_the_dead_run_as_it_is(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its counts nobody would know any more that staged rows are gone."""
    platform.run(FULL)
    platform.do("cb:b2", "u1", 3)
    dead = platform.run(FULL, dies_after=0)
    platform.scheduler.advance(120.0)  # its lease expires
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "get", lost)
        with pytest.raises(Unreachable):
            platform.told_by(RunRequest(resume=LAST))
    (found,) = [run for run in platform.records() if run.run_id == dead.run_id]
    assert found.status == LOST
    assert found.counts == dead.counts != {}


def lost(*_: object) -> None:
    raise Unreachable("the store was lost")


def erasing(*learners: str) -> Command:
    return partial(history.erase, frozenset(learners), 60.0)


def test_after_an_erase_has_finished_one_that_died_runs_have_a_base_again(platform: Platform) -> None:
    platform.run(FULL)
    platform.command(erasing("u2"), dies_after=0)
    assert platform.run(SINCE_AND_WAIT).command == RUN
    platform.command(erasing("u2"))
    assert platform.latest.status == SUCCEEDED
    platform.do("cb:b1", "u1", 3)
    assert platform.run(SINCE_AND_WAIT).command == INCREMENTAL
    assert platform.is_right()


@pytest.mark.parametrize("seed", range(10))
def test_who_was_counted_when_an_erase_died_is_not_when_it_is_repeated(platform: Platform, seed: int) -> None:
    """The account is gone, and so may the row be by which the context would be found."""
    platform.run(FULL)
    platform.scheduler.chance.seed(seed)
    for pair in [pair for pair in platform.world.sources if pair[1] == "u2"]:
        del platform.world.sources[pair]
    platform.command(erasing("u2"), dies_after=3)
    platform.command(erasing("u2"))
    assert platform.is_right()
    assert platform.run(SINCE_AND_WAIT).command == INCREMENTAL
    assert platform.is_right()


@pytest.mark.parametrize("seed", range(10))
def test_an_erase_puts_right_what_it_says_that_it_does(platform: Platform, seed: int) -> None:
    """A full run has died, and what it staged is gone: whose rows it left half-written is known no more."""
    platform.do("cb:b3", "u4", 1)
    platform.run(FULL)
    platform.scheduler.chance.seed(seed)
    platform.do("cb:b1", "u1", 4)
    platform.do("cb:b2", "u2", 6)
    platform.run(FULL, dies_after=2)
    platform.world.staged.clear()
    platform.command(erasing("u4"))
    assert platform.latest.settles
    assert platform.run(SINCE_AND_WAIT).command == INCREMENTAL
    assert platform.is_right()


def test_a_backfill_that_is_finished_stays_so_whatever_became_of_a_dry_run(platform: Platform) -> None:
    platform.backfill("cb:b1")
    failed = replace(platform.latest, run_id="20260102T000000Z-000001", status=LOST, unit="", counts={})
    platform.ledger().save(replace(failed, started_at=failed.started_at + timedelta(hours=1)))
    with pytest.raises(BadRequest, match="is finished"):
        platform.backfill("cb:b1")
