"""The lease second by second, on the twin of the store and a clock that stands still."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from cassandra import ConsistencyLevel, OperationTimedOut
from cassandra.policies import FallthroughRetryPolicy

from activity_aggregates import retrying
from activity_aggregates.errors import Unreachable
from activity_aggregates.store.lease import HeldBy, Holder, Lease, LeaseTicket, taken, waited_for
from tests.harness.waiting import PATIENCE_SECONDS
from tests.protocol.still import NOON, StillMachine

R1 = LeaseTicket("twin", "aggregate_lease", "r1", ttl=60, margin=10.0)
R2 = LeaseTicket("twin", "aggregate_lease", "r2", ttl=60)


@pytest.fixture
def machine() -> StillMachine:
    return StillMachine()


def lease(machine: StillMachine, ticket: LeaseTicket = R1) -> Lease:
    session: Any = machine
    found = taken(session, ticket, machine)
    assert isinstance(found, Lease), found
    return found


def look(machine: StillMachine, ticket: LeaseTicket) -> Holder | None:
    session: Any = machine
    return ticket.look(session)


def left(machine: StillMachine, ticket: LeaseTicket) -> float:
    session: Any = machine
    return ticket.seconds_left(session, machine)


def held_at(machine: StillMachine, lease: Lease, seconds: float) -> bool:
    machine.seconds = seconds
    return lease.is_held


def waiting(machine: StillMachine, ticket: LeaseTicket, wait: float, *over: str) -> tuple[Lease | HeldBy, list[HeldBy]]:
    """What waiting comes to, and what was told of it; the runs `over` are not at work any more."""
    told: list[HeldBy] = []
    session: Any = machine
    is_over = over.__contains__
    return waited_for(session, ticket, wait=wait, is_over=is_over, on_wait=told.append, clock=machine), told


def test_a_lease_ends_a_margin_before_the_time_that_was_asked_for_counted_from_the_question(
    machine: StillMachine,
) -> None:
    machine.takes = 2.0
    found = lease(machine)
    machine.seconds = 49.99
    found.check()
    machine.seconds = 50.0
    assert not found.is_held
    with pytest.raises(
        Unreachable, match=r"^the lease of run r1 was lost, because .* within 60 s: check .* run again$"
    ):
        found.check()


def test_no_transaction_is_sent_twice_and_a_look_waits_for_those_before_it(machine: StillMachine) -> None:
    ticket = replace(R1, consistency="SERIAL")
    found = lease(machine, ticket)
    found.beat()
    look(machine, ticket)
    found.free()
    asked = [each for each in machine.sent if each.query_string.startswith("SELECT")]
    changes = [each for each in machine.sent if each not in asked]
    assert len(changes) == 3
    for each in changes:
        assert isinstance(each.retry_policy, FallthroughRetryPolicy)
        assert (each.serial_consistency_level, each.is_idempotent) == (ConsistencyLevel.SERIAL, False)
    assert [(each.consistency_level, each.is_idempotent) for each in asked] == [(ConsistencyLevel.SERIAL, True)]


def test_within_one_datacenter_it_is_asked_for_unless_told_otherwise() -> None:
    ticket = LeaseTicket("twin", "aggregate_lease", "r1", 60)
    assert (ticket.consistency, ticket.margin) == ("LOCAL_SERIAL", 0.0)
    assert re.fullmatch("[0-9a-f]{32}", ticket.holder)
    assert ticket.holder != LeaseTicket("twin", "aggregate_lease", "r1", 60).holder


def test_the_row_says_who_holds_it_since_when_and_how_long_it_lives(machine: StillMachine) -> None:
    found = lease(machine)
    machine.seconds = 20.0
    assert look(machine, R2) == Holder(R1.holder, "r1", 40)
    found.beat()
    assert look(machine, R2) == Holder(R1.holder, "r1", 60)
    row = machine.store.table("aggregate_lease").values(machine.store.now())["runs",]
    assert row == {"holder": R1.holder, "run_id": "r1", "since": machine.now()}


def test_of_a_row_without_a_run_or_a_time_to_live_nothing_is_made_up(machine: StillMachine) -> None:
    machine.store.execute("INSERT INTO twin.aggregate_lease (name, holder) VALUES (%s, %s)", ["runs", "somebody"])
    assert look(machine, R1) == Holder("somebody", "", 0)


def test_a_row_that_is_only_half_there_is_nobodys(machine: StillMachine) -> None:
    machine.store.execute("INSERT INTO twin.aggregate_lease (name, run_id) VALUES (%s, %s)", ["runs", "r0"])
    assert look(machine, R1) is None
    assert left(machine, R1) == 0.0


def test_what_is_left_is_without_the_margin_and_the_time_that_the_answer_took(machine: StillMachine) -> None:
    lease(machine)
    machine.seconds, machine.takes = 20.0, 4.0
    assert left(machine, R1) == 60 - 22 - 10 - 4
    assert left(machine, replace(R1, holder="another")) == 0.0
    machine.seconds = 55.0
    assert left(machine, R1) == 0.0
    machine.seconds = 60.0
    assert left(machine, R1) == 0.0


def test_a_beat_begins_the_time_anew_from_its_question(machine: StillMachine) -> None:
    found = lease(machine)
    machine.seconds, machine.takes = 40.0, 2.0
    found.beat()
    assert (held_at(machine, found, 89.9), held_at(machine, found, 90.0)) == (True, False)


def test_a_beat_that_fails_leaves_the_time_as_it_was(machine: StillMachine) -> None:
    found = lease(machine)
    machine.loses("UPDATE")
    machine.seconds = 40.0
    found.beat()
    assert (held_at(machine, found, 49.9), held_at(machine, found, 50.0)) == (True, False)


def test_a_beat_that_finds_another_holder_ends_the_lease_at_once_and_for_good(machine: StillMachine) -> None:
    found = lease(machine)
    machine.store.table("aggregate_lease").rows.clear()
    lease(machine, R2)
    machine.seconds = 5.0
    found.beat()
    assert (held_at(machine, found, 4.9), held_at(machine, found, 5.0)) == (True, False)
    machine.seconds = 70.0
    found.beat()
    assert not held_at(machine, found, 60.0)


def test_who_is_in_the_way_is_told_with_the_time_that_is_left(machine: StillMachine) -> None:
    lease(machine)
    machine.seconds = 15.0
    session: Any = machine
    assert taken(session, R2, machine) == HeldBy("r1", 45)


def test_who_has_gone_between_two_questions_has_no_name(machine: StillMachine) -> None:
    found = lease(machine)
    machine.before_answer = lambda verb: found.free() if verb == "INSERT" else None
    session: Any = machine
    assert taken(session, R2, machine) == HeldBy("", 0)


def test_an_insert_whose_answer_was_lost_is_held_for_what_the_row_says(machine: StillMachine) -> None:
    machine.loses("INSERT")
    machine.takes = 2.0  # it is asked from second 2 on, and 58 are left when the row is read, at second 3
    found = lease(machine)
    assert (held_at(machine, found, 49.9), held_at(machine, found, 50.0)) == (True, False)


def test_an_insert_that_was_lost_and_another_holder_are_no_answer(machine: StillMachine) -> None:
    lease(machine)
    machine.loses("INSERT")
    session: Any = machine
    with pytest.raises(Unreachable, match="Cassandra"):
        taken(session, R2, machine)


def test_who_holds_it_is_asked_for_ten_seconds_where_nobody_answers(
    machine: StillMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "delays", lambda: itertools.repeat(1.0))
    machine.loses("INSERT", "SELECT")
    session: Any = machine
    with pytest.raises(Unreachable):
        taken(session, R1, machine)
    assert machine.seconds == 10.0


def test_it_is_freed_for_the_next_run_but_not_while_something_may_be_writing(machine: StillMachine) -> None:
    found = lease(machine)
    with found.written_under():
        found.free()
        assert look(machine, R1) is not None
    found.free()
    assert look(machine, R1) is None
    found.free()  # of nobody's lease nothing is freed


def test_a_run_that_fails_to_free_it_lets_it_expire(machine: StillMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> bool:
        raise OperationTimedOut

    monkeypatch.setattr(LeaseTicket, "delete", lost)
    lease(machine).free()
    assert look(machine, R1) is not None
    machine.seconds += R1.ttl
    assert look(machine, R1) is None


def test_a_thread_renews_it_six_times_in_its_time_and_ends_with_the_block(machine: StillMachine) -> None:
    beats, waits = threading.Semaphore(0), list[float]()
    found = lease(machine)
    machine.before_answer = lambda verb: beats.release()
    is_over = found._ended.wait

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return is_over(0.001)

    found._ended.wait = wait  # type: ignore[method-assign, assignment]
    with found.beating():
        heart = next(thread for thread in threading.enumerate() if thread.name == "lease")
        assert heart.daemon
        assert all(beats.acquire(timeout=PATIENCE_SECONDS) for _ in range(3))
    assert not heart.is_alive()
    assert set(waits) == {10.0}


def test_a_run_at_work_is_waited_for_as_long_as_asked_and_told_of_once(machine: StillMachine) -> None:
    lease(machine)
    found, told = waiting(machine, R2, 3.0)
    assert (found, told) == (HeldBy("r1", 57), [HeldBy("r1", 60)])
    assert machine.seconds == 3.0


def test_who_does_not_wait_is_told_at_once(machine: StillMachine) -> None:
    lease(machine)
    assert waiting(machine, R2, 0.0) == (HeldBy("r1", 60), [])


def test_the_lease_comes_when_the_other_run_ends(machine: StillMachine) -> None:
    ends = lease(machine)
    machine.before_answer = lambda verb: ends.free() if verb == "SELECT" and machine.seconds == 2.0 else None
    found, told = waiting(machine, R2, 100.0)
    assert isinstance(found, Lease)
    assert (machine.seconds, told) == (3.0, [HeldBy("r1", 60)])
    assert (held_at(machine, found, 62.9), held_at(machine, found, 63.0)) == (True, False)


def test_the_lease_of_a_run_that_is_over_is_waited_for_until_it_expires(machine: StillMachine) -> None:
    lease(machine)
    found, told = waiting(machine, R2, 0.0, "r1")
    assert isinstance(found, Lease)
    assert (machine.seconds, told) == (60.0, [HeldBy("r1", 60)])


def test_a_run_that_is_over_in_the_ledger_and_renews_its_lease_is_at_work(machine: StillMachine) -> None:
    alive = lease(machine)
    machine.before_answer = lambda verb: alive.beat() if verb == "SELECT" and machine.seconds == 5.0 else None
    found, _ = waiting(machine, R2, 0.0, "r1")
    assert (found, machine.seconds) == (HeldBy("r1", 59), 6.0)


def test_a_row_that_does_not_expire_is_waited_for_two_seconds_more_than_it_says(machine: StillMachine) -> None:
    lease(machine)
    machine.store.now = lambda: NOON.timestamp() + 20  # a node whose clock stands still
    found, _ = waiting(machine, R2, 0.0, "r1")
    assert (found, machine.seconds) == (HeldBy("r1", 40), 42.0)


def test_who_comes_after_a_run_that_is_over_has_a_time_of_its_own(machine: StillMachine) -> None:
    first = lease(machine, replace(R1, ttl=20))
    third = LeaseTicket("twin", "aggregate_lease", "r3", ttl=300)

    def next_one(verb: str) -> None:
        if verb == "SELECT" and machine.seconds == 10.0:
            first.free()
            lease(machine, third)

    machine.before_answer = next_one
    found, told = waiting(machine, R2, 0.0, "r1", "r3")
    assert isinstance(found, Lease)
    assert (machine.seconds, told) == (310.0, [HeldBy("r1", 20)])


def test_a_name_that_has_just_gone_is_asked_again_and_told_to_nobody(machine: StillMachine) -> None:
    gone = lease(machine)
    machine.before_answer = lambda verb: gone.free() if verb == "INSERT" and machine.seconds == 0.0 else None
    found, told = waiting(machine, R2, 0.0)
    assert isinstance(found, Lease)
    assert (machine.seconds, told) == (1.0, [])
