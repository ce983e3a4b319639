"""The twin of the store that histories are played on against a real node: whose value stands, whatever came in when.

`scripts/test twin --mutations N` sends N mutations, in place of two thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from tests.protocol.store import Table

MUTATIONS = 2000
AT_ONCE = 500  # mutations, whose rows are compared before the next ones are sent
OF_A_ROW = 20
FLUSH_MS = 50
NOW = 1_800_000_000_000_000  # µs
SKEWS = (0, 0, 0, 1, -1, 1000, -1000, 3_600_000_000, -3_600_000_000)  # µs; mostly none: equal times are the rule
NAMES = ("completed", "completedCount", "score:do_1")
VALUES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 100.0, 1e300)
SET, REMOVE = "SET m = m + ?", "SET m = m - ?"
Mutation = tuple[str, tuple[int, Any, int]]  # what is done, and its values: write time, entries or names, row


@pytest.fixture
def place(cassandra: Session) -> Iterator[str]:
    """A table of maps that is flushed all the time."""
    keyspace = f"twin_{uuid4().hex[:12]}"
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    cassandra.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
    cassandra.execute(
        f"CREATE TABLE {keyspace}.maps (id int PRIMARY KEY, m map<text, double>) "
        f"WITH memtable_flush_period_in_ms = {FLUSH_MS}"
    )
    yield f"{keyspace}.maps"
    cassandra.execute(f"DROP KEYSPACE {keyspace}")


def test_what_stands_in_the_twin_stands_in_a_real_node(
    cassandra: Session, place: str, pytestconfig: pytest.Config
) -> None:
    number = pytestconfig.getoption("--mutations") or MUTATIONS
    chance, twin, flushed = Random(1), Table(), flushes(cassandra)
    for first in range(0, number, AT_ONCE):
        rows = range(first // OF_A_ROW, (first + AT_ONCE) // OF_A_ROW)
        mutations = [drawn(chance, chance.choice(rows)) for _ in range(min(AT_ONCE, number - first))]
        send(cassandra, place, mutations)
        for mutation in mutations:
            apply(twin, *mutation)
        assert real(cassandra, place, rows) == of_twin(twin, rows), f"mutations {first} to {first + AT_ONCE}"
    every = range(number // OF_A_ROW)
    assert real(cassandra, place, every) == of_twin(twin, every)
    assert flushes(cassandra) > flushed


def drawn(chance: Random, row: int) -> Mutation:
    names = chance.sample(NAMES, chance.choice([1, 1, 2]))
    written = NOW + chance.choice(SKEWS)
    if chance.random() < 0.4:
        return REMOVE, (written, set(names), row)
    return SET, (written, {name: chance.choice(VALUES) for name in names}, row)


def send(session: Session, place: str, mutations: Sequence[Mutation]) -> None:
    """Many at once, and so in no order."""
    for what in (SET, REMOVE):
        statement = session.prepare(f"UPDATE {place} USING TIMESTAMP ? {what} WHERE id = ?")
        execute_concurrent_with_args(session, statement, [values for kind, values in mutations if kind == what])


def apply(twin: Table, what: str, values: tuple[int, Any, int]) -> None:
    written, entries, row = values
    for name in entries:
        twin.write((row,), {name: entries[name] if what == SET else None}, written)


def real(session: Session, place: str, rows: range) -> dict[int, dict[str, float]]:
    statement = session.prepare(f"SELECT id, m FROM {place} WHERE id = ?")
    answers = execute_concurrent_with_args(session, statement, [(row,) for row in rows])
    return {row.id: dict(row.m) for _, found in answers for row in found if row.m}


def of_twin(twin: Table, rows: range) -> dict[int, dict[str, float]]:
    return {key[0]: values for key, values in twin.values(0).items() if key[0] in rows}


def flushes(session: Session) -> int:
    """How many memtables the node has flushed since it was started."""
    pools = session.execute("SELECT name, completed_tasks FROM system_views.thread_pools")
    return sum(int(pool.completed_tasks) for pool in pools if pool.name == "MemtableFlushWriter")
