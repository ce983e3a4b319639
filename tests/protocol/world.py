"""A tiny platform: learners do things in contexts, and three tables say how much.

`learners` has what each has done in a context, `contexts` how many learners there are and what all of them have done,
`groups` what a learner has done in all contexts. The first is compared with the sources, the second moves by
differences, the third follows the stored rows of the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activity_aggregates.protocol.asked import Asked
from activity_aggregates.request.pairs import Pair
from activity_aggregates.store.erased import Erased
from activity_aggregates.store.lease import LeaseTicket
from tests.protocol.scheduler import Process, Scheduler
from tests.protocol.store import Store

CONTEXTS = ("cb:b1", "cb:b2", "cb:b3")
LEARNERS = ("u1", "u2", "u3")
NAMED_PAIRS = (Pair("u1", "c1", "b1"), Pair("u2", "c1", "b2"))  # by --changed
LEARNER_ROWS, CONTEXT_ROWS, GROUP_ROWS = "learners", "contexts", "groups"
TABLES = (LEARNER_ROWS, CONTEXT_ROWS, GROUP_ROWS)
DATE = "@"  # what the date of an entry begins with

Key = tuple[str, ...]  # (context, learner) of learners and of sources, which make a pair
Entries = dict[str, int]
Rows = dict[Key, Entries]
Change = tuple[str, Key, str, int | None]  # table, key, entry, its new value or None


class Session:
    """What of the driver's session the protocol uses."""

    def __init__(self, process: Process, store: Store) -> None:
        self._process = process
        self._store = store

    def prepare(self, text: str) -> Prepared:
        return Prepared(text)

    def execute(self, statement: Any, values: Iterable[Any] = ()) -> Any:
        text = statement if isinstance(statement, str) else statement.query_string
        given = list(values)
        is_record = text.startswith("INSERT") and "IF NOT EXISTS" not in text
        scheduler = self._process.scheduler
        return scheduler.answer(self._process, lambda: self._store.execute(text, given), may_stall=not is_record)


@dataclass
class Prepared:
    query_string: str
    is_idempotent: bool = False
    fetch_size: int = 0


class Broken(AssertionError):
    """What must never be has happened."""


@dataclass
class World:
    """The sources, the store, what is staged, and what has to hold."""

    scheduler: Scheduler
    store: Store
    sources: dict[Key, tuple[int | None, float]] = field(default_factory=dict)
    staged: dict[str, tuple[list[Change], int]] = field(default_factory=dict)
    rules: int = 0  # of the version that is installed: each counts everything ten higher
    erased: set[str] = field(default_factory=set)
    erased_at: datetime | None = None
    happened: int = 0  # counts what the order of is asked for
    last_erase: int = 0
    writes: dict[str, int] = field(default_factory=dict)
    dies_after: int | None = None  # writes: then the process that is at it dies
    stagings: list[Asked] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # told at the end: whoever does it might swallow an exception

    def is_killed_now(self) -> bool:
        """Whether whoever is about to write dies; it is asked for every write."""
        if self.dies_after is None:
            return False
        self.dies_after -= 1
        return self.dies_after < 0

    def tick(self) -> int:
        self.happened += 1
        return self.happened

    def change_sources(self) -> None:
        """Somebody does something, or leaves."""
        chance = self.scheduler.chance
        pair = (chance.choice(CONTEXTS), chance.choice(LEARNERS))
        self.sources[pair] = (chance.choice([None, 0, 1]), self.scheduler.time)

    def lose_staged(self, chance_of_it: float) -> None:
        """A disk goes with its machine, or somebody tidies up: all that a run has staged is gone, or a part of it."""
        chance = self.scheduler.chance
        if self.staged and chance.random() < chance_of_it:
            directory = chance.choice(sorted(self.staged))
            changes, staged_at = self.staged.pop(directory)
            if chance.random() < 0.5:
                rows = list(dict.fromkeys(change[:2] for change in changes))
                left = set(rows[: len(rows) // 2])
                self.staged[directory] = ([change for change in changes if change[:2] in left], staged_at)

    def stored(self, table: str) -> Rows:
        values = self.store.table(table).values(self.scheduler.time)
        return {key: {n: v for n, v in row.items() if not n.startswith(DATE)} for key, row in values.items()}

    def expected(self) -> dict[str, Rows]:
        """What the tables hold after a full run."""
        learners: Rows = {
            (context, user): {"done": value + 10 * self.rules}
            for (context, user), (value, _) in self.sources.items()
            if value is not None and user not in self.erased
        }
        contexts = {context: counted(row for (c, _), row in learners.items() if c == context) for context in CONTEXTS}
        groups = {u: {"done": sum(row["done"] for (_, user), row in learners.items() if user == u)} for u in LEARNERS}
        present = {user for _, user in learners}
        return {
            LEARNER_ROWS: dict(learners),
            CONTEXT_ROWS: {(c,): row for c, row in contexts.items() if any(key[0] == c for key in self.sources)},
            GROUP_ROWS: {(user,): row for user, row in groups.items() if user in present},
        }

    def arrived(self, ticket: LeaseTicket, staged_at: int, is_erase: bool) -> None:
        """A write of data reaches the store: no other run may have got the lease, nor have begun to erase."""
        if self.store.holders[-1] != ticket.holder:
            self.broken.append(f"run {ticket.run_id} wrote when another one held the lease")
        if staged_at < self.last_erase and not is_erase:
            self.broken.append(f"run {ticket.run_id} wrote what had been staged before an erase")


def counted(rows: Iterable[Entries]) -> Entries:
    found = list(rows)
    return {"enrolled": len(found), "done": sum(row["done"] for row in found)}


class ErasedLearners:
    """The table of erased learners; the ids stand for their hashes."""

    secret = b"a secret of sixteen"

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def required_secret(self, why: str) -> bytes:
        return self.secret

    def read(self, session: Any) -> Erased:
        self._process.scheduler.step(self._process)
        return Erased(self.secret, frozenset(self._world.erased), self._world.erased_at)

    def record(self, session: Any, erased: Erased, user_ids: Iterable[str], now: datetime) -> Erased:
        self._world.erased |= set(user_ids)
        self._world.erased_at = now
        self._world.last_erase = self._world.tick()
        self._process.scheduler.step(self._process)
        return Erased(self.secret, frozenset(self._world.erased), now)
