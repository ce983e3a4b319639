"""The lease on a real Cassandra: its transactions, its time to live, and processes that race for it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cassandra import OperationTimedOut
from cassandra.cluster import Session

from activity_aggregates.errors import Unreachable
from activity_aggregates.store.lease import HeldBy, Lease, LeaseTicket, taken, waited_for
from tests.harness.leases import held
from tests.harness.roles import JOB, TARGET, allow
from tests.harness.waiting import PATIENCE_SECONDS, wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RACER = """
import sys
from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.lease import Lease, LeaseTicket, taken
import os
with open_session(connection(load(None, os.environ, {}).settings.cassandra, os.environ)) as session:
    print("ready", flush=True)
    sys.stdin.readline()
    found = taken(session, LeaseTicket(sys.argv[1], "aggregate_lease", sys.argv[2], ttl=30))
    print("held" if isinstance(found, Lease) else f"by {found.run_id}", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def keyspace(cassandra: Session) -> Iterator[str]:
    name = f"lease_{uuid4().hex[:12]}"
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    cassandra.execute(f"CREATE KEYSPACE {name} WITH replication = {replication}")
    columns = "name text PRIMARY KEY, holder text, run_id text, since timestamp"
    cassandra.execute(f"CREATE TABLE {name}.aggregate_lease ({columns})")
    allow(cassandra, {TARGET: name}, JOB)
    yield name
    cassandra.execute(f"DROP KEYSPACE {name}")


@pytest.fixture
def ticket(cassandra: Session, keyspace: str) -> LeaseTicket:
    cassandra.execute(f"TRUNCATE {keyspace}.aggregate_lease")
    return LeaseTicket(keyspace, "aggregate_lease", "r1", ttl=30)


def another(ticket: LeaseTicket, run_id: str = "r2") -> LeaseTicket:
    return LeaseTicket(ticket.keyspace, ticket.table, run_id, ticket.ttl)


def test_one_holds_it_and_the_other_is_told_who(cassandra: Session, ticket: LeaseTicket) -> None:
    with held(cassandra, ticket):
        found = taken(cassandra, another(ticket))
        assert isinstance(found, HeldBy)
        assert (found.run_id, 0 < found.seconds_left <= 30) == ("r1", True)
    assert isinstance(taken(cassandra, another(ticket)), Lease)


def test_of_processes_that_race_for_it_one_wins(ticket: LeaseTicket) -> None:
    names = ["a", "b", "c"]
    command = [sys.executable, "-c", RACER, ticket.keyspace]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen([*command, name], **pipes) for name in names]  # type: ignore[call-overload]
    try:
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 3
        for racer in racers:
            print(file=racer.stdin, flush=True)
        said = [racer.stdout.readline().strip() for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait(PATIENCE_SECONDS)
    winner = names[said.index("held")]
    assert sorted(said) == sorted(["held", f"by {winner}", f"by {winner}"])


def test_it_expires_unless_it_is_renewed(cassandra: Session, ticket: LeaseTicket) -> None:
    short = replace(ticket, ttl=3)
    lease = taken(cassandra, short)
    assert isinstance(lease, Lease)
    wait_until(lambda: short.seconds_left(cassandra) <= 1, "its time does not run out")
    lease.beat()
    assert short.seconds_left(cassandra) > 1
    wait_until(lambda: short.look(cassandra) is None, "it does not expire")
    lease.beat()
    assert short.look(cassandra) is None, "an expired row is not revived"
    with pytest.raises(Unreachable, match="the lease of run r1 was lost"):
        lease.check()


def test_who_holds_it_stops_before_it_expires(cassandra: Session, ticket: LeaseTicket) -> None:
    careful = replace(ticket, margin=29.0)
    lease = taken(cassandra, careful)
    assert isinstance(lease, Lease)
    time.sleep(1.1)
    assert not lease.is_held
    assert careful.seconds_left(cassandra) == 0.0
    assert isinstance(taken(cassandra, another(ticket)), HeldBy), "the others do not come in before that"


def test_nobody_renews_or_frees_the_lease_of_another(cassandra: Session, ticket: LeaseTicket) -> None:
    assert ticket.insert(cassandra, NOW)
    other = another(ticket, "r1")  # of the same run, in another process
    assert not other.renew(cassandra, NOW)
    assert not other.delete(cassandra)
    assert other.seconds_left(cassandra) == 0.0
    assert ticket.seconds_left(cassandra) > 0


class _Losing:
    """A session that loses the answer to a transaction that was carried out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.sent: list[str] = []

    def execute(self, statement: object, values: list[object]) -> object:
        query = getattr(statement, "query_string", "")
        answer = self._session.execute(statement, values)
        if not query.startswith("SELECT"):
            self.sent.append(query.split()[0])
            raise OperationTimedOut
        return answer


def test_an_answer_that_was_lost_is_settled_by_reading_and_nothing_is_sent_twice(
    cassandra: Session, ticket: LeaseTicket
) -> None:
    losing = _Losing(cassandra)
    lease = taken(losing, ticket)
    assert isinstance(lease, Lease)
    assert lease.is_held
    assert losing.sent == ["INSERT"]
    with pytest.raises(Unreachable):
        taken(_Losing(_Deaf(cassandra)), another(ticket))
    assert ticket.seconds_left(cassandra) > 0


class _Deaf:
    """A session whose transactions do not arrive, with a store in which nobody holds the lease."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def execute(self, statement: object, values: list[object]) -> object:
        return self._session.execute("SELECT * FROM system.local WHERE key = 'nobody'")


def test_a_lease_whose_run_is_over_is_waited_for_whatever_wait_says(cassandra: Session, ticket: LeaseTicket) -> None:
    assert replace(ticket, ttl=3).insert(cassandra, NOW)
    told: list[str] = []
    found = waited_for(
        cassandra, another(ticket), wait=0, is_over=lambda run_id: run_id == "r1",
        on_wait=lambda holder: told.append(holder.run_id),
    )  # fmt: skip
    assert isinstance(found, Lease)
    assert told == ["r1"]


def test_a_lease_whose_run_is_at_work_is_waited_for_as_long_as_wait_says(
    cassandra: Session, ticket: LeaseTicket
) -> None:
    assert replace(ticket, ttl=20).insert(cassandra, NOW)
    found = waited_for(cassandra, another(ticket), wait=0, is_over=lambda run_id: False, on_wait=print)
    assert isinstance(found, HeldBy)


def test_what_may_still_be_writing_keeps_others_out_until_it_expires(cassandra: Session, ticket: LeaseTicket) -> None:
    lease = taken(cassandra, ticket)
    assert isinstance(lease, Lease)
    with pytest.raises(Unreachable), lease.written_under():
        raise Unreachable("a write was lost")
    lease.free()
    assert isinstance(taken(cassandra, another(ticket)), HeldBy)
