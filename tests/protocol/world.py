"""A tiny platform: learners do things in contexts, and three tables say how much.

`learners` has what each has done in a context, `contexts` how many learners there are and what all of them have done,
`groups` what a learner has done in all contexts. The first is compared with the sources, the second moves by
differences, the third follows the stored rows of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activity_aggregates.errors import Unreachable
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.pairs import read_pairs
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.asked import Asked, Unit
from activity_aggregates.run.execution import Execution
from activity_aggregates.store.erased import Erased
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.writing.sending import LeaseWatch
from tests.protocol.scheduler import Process, Scheduler
from tests.protocol.store import Cell, Store

CONTEXTS = ("cb:b1", "cb:b2", "cb:b3")
LEARNERS = ("u1", "u2", "u3")
LEARNER_ROWS, CONTEXT_ROWS, GROUP_ROWS = "learners", "contexts", "groups"
TABLES = (LEARNER_ROWS, CONTEXT_ROWS, GROUP_ROWS)
_DATE = "@"  # what the date of an entry begins with
_SECONDS_OF_A_REQUEST = 1.5
_DANGER_OF_WRITING = 30.0  # times as likely to die as elsewhere: that is what there is to be seen

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
        return self._process.scheduler.answer(self._process, lambda: self._store.execute(text, given))


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
    broken: list[str] = field(default_factory=list)  # told at the end: whoever does it might swallow an exception

    def tick(self) -> int:
        self.happened += 1
        return self.happened

    def change_sources(self) -> None:
        """Somebody does something, or leaves."""
        chance = self.scheduler.chance
        pair = (chance.choice(CONTEXTS), chance.choice(LEARNERS))
        self.sources[pair] = (chance.choice([None, 0, 1]), self.scheduler.time)

    def stored(self, table: str) -> Rows:
        values = self.store.table(table).values(self.scheduler.time)
        return {key: {n: v for n, v in row.items() if not n.startswith(_DATE)} for key, row in values.items()}

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


class TwinWork:
    """The work of a run on the tiny platform."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = self._world = world
        self.rules = world.rules  # as they were when the process was started
        self._process = process

    def guarded(self) -> AbstractContextManager[None]:
        return nullcontext()

    def start(self, execution: Execution) -> None:
        self._step()

    def stop(self) -> None:
        """There is nothing that works beside the process."""

    def definitions(self, execution: Execution) -> str:
        return f"rules {self.rules}"

    def create_directory(self, execution: Execution) -> str:
        self._step()
        return f"runs/{execution.record.run_id}"

    def exists(self, directory: str) -> bool:
        return directory in self._world.staged

    def tidy(self, directory: str) -> None:
        self._step()

    def show(self, execution: Execution, directory: str) -> None:
        self._step()

    def stage(
        self, execution: Execution, directory: str, asked: Asked, *, keeps_quarantine: bool, share: float = 1.0
    ) -> None:
        staged_at = self._world.tick()
        changes, newer = Staging(self._world, self._step, execution, asked, self.rules).changes()
        for table in TABLES:
            execution.counts[f"changed.{table}"] = len({change[1] for change in changes if change[0] == table})
            execution.counts[f"newer.{table}"] = newer[table]
        self._step()
        self._world.staged[directory] = (changes, staged_at)
        self._step()

    def units(self, execution: Execution, directory: str) -> list[Unit]:
        changes, _ = self._world.staged[directory]
        contexts = sorted({key[0] for table, key, _, _ in changes if table != GROUP_ROWS})
        return [*(Unit(frozenset([context])) for context in contexts), Unit()]

    def rows_of(self, execution: Execution, directory: str, unit: Unit) -> int:
        return len(self._of_unit(directory, unit))

    def _of_unit(self, directory: str, unit: Unit | None) -> list[Change]:
        changes, _ = self._world.staged[directory]
        if unit is None:
            return changes
        return [
            each for each in changes if (each[0] == GROUP_ROWS if unit.is_of_groups else each[1][0] in unit.contexts)
        ]

    def apply(self, execution: Execution, directory: str, unit: Unit | None) -> None:
        """Write entry by entry, in any order; what was sent arrives, and tasks may go on when the process has died."""
        changes = list(self._of_unit(directory, unit))
        self._world.scheduler.chance.shuffle(changes)
        Task(self._world, self._process, execution, self._world.staged[directory][1]).write(changes)
        execution.counts["written"] = len(changes)

    def _step(self) -> None:
        self._world.scheduler.step(self._process)


class Task:
    """Writes rows with a session of its own, as long as the store says that the lease lives."""

    def __init__(self, world: World, process: Process, execution: Execution, staged_at: int) -> None:
        self._world = world
        self._process = process
        self._session = Session(process, world.store)
        self._record = execution.record
        self._ticket = execution.lease.ticket
        self._staged_at = staged_at

    def write(self, changes: list[Change]) -> None:
        session: Any = self._session
        watch = LeaseWatch(self._ticket, session, 5.0, self._process)
        left = list(changes)
        scheduler = self._world.scheduler
        pause = scheduler.chance.choice([0.0, 0.0, 2.0])  # of who writes slowly
        last_arrival = scheduler.time
        try:
            while left:
                watch.check()
                last_arrival = max(last_arrival, self._send(left.pop()))
                scheduler.advance(pause)
                scheduler.step(self._process, danger=_DANGER_OF_WRITING)
            scheduler.sleep(self._process, last_arrival - scheduler.time)
        except BaseException:
            self._go_on_alone(left)
            raise

    def _send(self, change: Change) -> float:
        seconds = self._world.scheduler.chance.random() * _SECONDS_OF_A_REQUEST
        self._world.scheduler.at(seconds, lambda: self._arrive(change))
        return self._world.scheduler.time + seconds

    def _go_on_alone(self, left: list[Change]) -> None:
        """The driver is gone or has given up; a task of its goes on until it hears that the lease has gone."""
        scheduler = self._world.scheduler
        if not left or scheduler.chance.random() < 0.3:
            return
        task = Process(self._process.lane, self._process.offset)
        task.is_quiet = True
        session: Any = _Certain(task, self._world.store)
        self._next_alone(left, LeaseWatch(self._ticket, session, 0.0, task))

    def _next_alone(self, left: list[Change], watch: LeaseWatch) -> None:
        scheduler = self._world.scheduler
        try:
            watch.check()
        except Unreachable:
            return
        self._send(left.pop())
        if left:
            scheduler.at(scheduler.chance.random() * 6.0, lambda: self._next_alone(left, watch))

    def _arrive(self, change: Change) -> None:
        table, key, entry, value = change
        world, written = self._world, self._record.write_time
        world.arrived(self._ticket, self._staged_at, self._record.command == "erase")
        world.writes[self._record.run_id] = world.writes.get(self._record.run_id, 0) + 1
        date = None if value is None else epoch_milliseconds(self._record.as_of)
        world.store.table(table).write(key, entry, Cell(value, written))
        world.store.table(table).write(key, _DATE + entry, Cell(date, written))


class _Certain(Session):
    """A session whose answers do not get lost."""

    def execute(self, statement: Any, values: Iterable[Any] = ()) -> Any:
        return self._store.execute(statement.query_string, list(values))


class TwinRows:
    """The rows of erased learners."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def count(self, execution: Execution) -> Mapping[str, int]:
        return {LEARNER_ROWS: len(self._keys(execution))}

    def delete(self, execution: Execution) -> int:
        keys = self._keys(execution)
        written = epoch_milliseconds(self._process.now()) * 1000 + 10_000_000
        for table, key in keys:
            self._process.scheduler.step(self._process)
            execution.lease.check()
            self._world.arrived(execution.lease.ticket, 0, True)
            rows = self._world.store.table(table)
            for entry in list(rows.rows[key]):
                rows.write(key, entry, Cell(None, written))
        return len(keys)

    def clear_staged(self, execution: Execution) -> int:
        self._process.scheduler.step(self._process)
        number = len(self._world.staged)
        self._world.staged.clear()
        return number

    def _keys(self, execution: Execution) -> list[tuple[str, tuple[str, ...]]]:
        rows = [(table, key) for table in (LEARNER_ROWS, GROUP_ROWS) for key in self._world.stored(table)]
        return [(table, key) for table, key in rows if key[-1] in execution.erased.hashes]


@dataclass
class Staging:
    """Chooses, reads, computes and compares."""

    world: World
    step: Any
    execution: Execution
    asked: Asked
    rules: int

    def changes(self) -> tuple[list[Change], dict[str, int]]:
        whole, pairs = self._chosen()
        computed: Rows = {}
        chosen = {pair for pair in (*self.world.sources, *self.world.stored(LEARNER_ROWS)) if pair[0] in whole}
        chosen |= pairs
        for pair in sorted(chosen):
            self.step()
            value, _ = self.world.sources.get(pair, (None, 0.0))
            if value is not None and pair[1] not in self.execution.erased.hashes:
                computed[pair] = {"done": value + 10 * self.rules}
        stored = self.world.stored(LEARNER_ROWS)
        gone: Rows = {pair: {} for pair in sorted(chosen) if pair not in computed}
        changes = {LEARNER_ROWS: {**computed, **gone}, CONTEXT_ROWS: self._counts(whole, chosen, computed, stored)}
        after = {**stored, **computed}
        changes[GROUP_ROWS] = self._groups(chosen, {pair: row for pair, row in after.items() if pair not in gone})
        return self._compared(changes)

    def _chosen(self) -> tuple[set[str], set[Key]]:
        """The contexts that are looked at whole, and the pairs of others."""
        asked, world = self.asked, self.world
        if asked.is_everything:
            return set(CONTEXTS), set()
        everybody = sorted({*world.sources, *world.stored(LEARNER_ROWS)})
        pairs = {pair for pair in everybody if self._is_asked_for(pair)} | self._named_in_a_file()
        pairs = {pair for pair in pairs if pair[0] not in asked.done}
        if asked.base is None:
            return {pair[0] for pair in pairs} | set(asked.whole), set()
        return set(asked.whole), {pair for pair in pairs if pair[0] not in asked.whole}

    def _is_asked_for(self, pair: Key) -> bool:
        asked, scope = self.asked, self.asked.scope
        if asked.changed is not None:
            return False
        if asked.since is not None:
            found = self.world.sources.get(pair)
            return found is not None and found[1] >= asked.since.timestamp()
        if asked.erasing:
            return pair[1] in self.execution.erased.hashes
        return _is_in(pair, scope)

    def _named_in_a_file(self) -> set[Key]:
        if self.asked.changed is None:
            return set()
        return {(f"cb:{pair.batch_id}", pair.user_id) for pair in read_pairs(self.asked.changed)}

    def _counts(self, whole: set[str], chosen: set[Key], computed: Rows, stored: Rows) -> Rows:
        rows: Rows = {}
        published = self.world.stored(CONTEXT_ROWS)
        known = {context for context, _ in self.world.sources}
        for context in sorted({pair[0] for pair in chosen} | whole):
            if context not in known:
                continue
            here = counted(row for key, row in computed.items() if key[0] == context)
            if context not in whole:
                before = counted(row for key, row in stored.items() if key[0] == context and key in chosen)
                old = published.get((context,), {"enrolled": 0, "done": 0})
                here = {name: old.get(name, 0) - before[name] + here[name] for name in here}
            rows[context,] = here
        return rows

    def _groups(self, chosen: set[Key], after: Rows) -> Rows:
        touched = {user for _, user in chosen}
        touched |= {key[1] for key in after if key[0] in self.asked.done}
        totals = {u: sum(row["done"] for key, row in after.items() if key[1] == u) for u in sorted(touched)}
        present = {key[1] for key in after}
        return {(user,): {"done": total} if user in present else {} for user, total in totals.items()}

    def _compared(self, computed: Mapping[str, Rows]) -> tuple[list[Change], dict[str, int]]:
        as_of = epoch_milliseconds(self.execution.record.as_of)
        changes: list[Change] = []
        newer = dict.fromkeys(TABLES, 0)
        for table, rows in computed.items():
            held = self.world.store.table(table).values(self.world.scheduler.time)
            for key, entries in rows.items():
                own = held.get(key, {})
                for name in sorted({*entries, *(name for name in own if not name.startswith(_DATE))}):
                    if own.get(_DATE + name, 0) > as_of:
                        newer[table] += 1
                    elif own.get(name) != entries.get(name):
                        changes.append((table, key, name, entries.get(name)))
        return changes, newer


def _is_in(pair: Key, scope: Scope) -> bool:
    return (not scope.contexts or pair[0] in scope.contexts) and (not scope.users or pair[1] in scope.users)
