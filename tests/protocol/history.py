"""A history: commands of several operators side by side on one platform, drawn from a seed, and what has to hold."""

from __future__ import annotations

import hashlib
import io
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from activity_aggregates import configuration, settings
from activity_aggregates.errors import JobError
from activity_aggregates.protocol import execution as execution_module
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.request.backfills import APPROVED, Backfill
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.flow import RunRequest, Surroundings, carry_out
from activity_aggregates.store.connection import translated
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.opening import LAST
from activity_aggregates.store.records import CHANGED, ERASE, INCREMENTAL, SUCCEEDED, UNKEPT, RunRecord
from jobs.backfill import BackfillRequest, carry_out_plan
from jobs.erase import erase_learners
from tests.protocol.scheduler import CALM, Chances, Killed, Lane, Process, Scheduler
from tests.protocol.store import Store
from tests.protocol.work import TwinRows, TwinWork
from tests.protocol.world import (
    CONTEXTS,
    LEARNERS,
    NAMED_PAIRS,
    TABLES,
    Broken,
    ErasedLearners,
    Session,
    World,
)


class _Silent(Steps):
    """Says nothing."""

    def say(self, message: str, **details: Any) -> None:
        pass


Command = Callable[[Surroundings], object]
_SKEW = 2.0  # seconds that a machine's clock is off by at most
_COMMANDS = 3  # of each operator
_TTL = 20
_WEIGHTS = {
    "full": 6, "older full": 2, "incremental": 8, "dry": 1, "context": 6, "older context": 1, "learner": 3,
    "changed": 2, "resume": 4, "backfill": 4, "erase": 2,
}  # fmt: skip
_OF_AN_UPGRADE = 0.02  # before each command: from then on the rules are others
_OF_A_LOST_DISK = 0.04


@cache
def twin_settings(has_groups: bool) -> settings.Settings:
    """The defaults, with a short lease and room for clocks that differ."""
    chosen = configuration.load(None, {}, {}).settings
    source = replace(chosen.sources.enrolments)
    sources = replace(chosen.sources, groups=source, group_members=source) if has_groups else chosen.sources
    return replace(
        chosen,
        sources=sources,
        lease=replace(chosen.lease, ttl=_TTL),
        cassandra=replace(chosen.cassandra, request_timeout=2.0),
        incremental=replace(chosen.incremental, lookback=15.0),
        log=replace(chosen.log, format="json"),
    )


class History:
    """One platform and what happens on it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.scheduler = Scheduler(self.chance)
        self.world = World(self.scheduler, Store(lambda: self.scheduler.time))
        self.settings = twin_settings(self.chance.random() < 0.5)
        self.said = io.StringIO()

    def play(self) -> None:
        """Everything that the seed says; raises Broken where something does not hold."""
        with _by_chance(self.seed), redirect_stdout(self.said):
            for _ in range(8):
                self.world.change_sources()
            if self.chance.random() < 0.8:
                self._command_in_calm(partial(run, RunRequest()))
            operators = [self._operator for _ in range(self.chance.choice([1, 2, 2, 3]))]
            self.scheduler.run(operators, Chances())
            self.scheduler.advance(3.0 * _TTL)  # what was on its way has arrived
            self._check_records()
            self._command_in_calm(partial(run, RunRequest(command=INCREMENTAL)))
            self._check("an incremental run")
            self._command_in_calm(partial(run, RunRequest()))
            self._check("a full run")
            self._check_base()

    def _operator(self, lane: Lane) -> None:
        for _ in range(_COMMANDS):
            for _ in range(self.chance.choice([0, 1, 2, 4])):
                self.world.change_sources()
            self.world.lose_staged(_OF_A_LOST_DISK)
            self.world.rules += self.chance.random() < _OF_AN_UPGRADE
            self._in_a_process(lane, self._drawn())
            self.scheduler.advance(self.chance.choice([0.0, 0.5, 3.0, 30.0]))

    def _drawn(self) -> Command:
        chance = self.chance
        wait = chance.choice([0.0, 5.0, 25.0, 25.0])
        scope = Scope(contexts=frozenset([chance.choice(CONTEXTS)]))
        of_learner = Scope(users=frozenset([chance.choice(LEARNERS)]))
        now = execution_module.now_in_ms(Process(Lane(self.scheduler), 0.0))
        older = now - timedelta(seconds=chance.choice([0.0, 1.0, 20.0, 60.0]))
        drawn = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if drawn == "backfill":
            return partial(backfill, frozenset(chance.sample(CONTEXTS, 2)))
        if drawn == "erase":
            return partial(erase, of_learner.users, wait)
        requests: dict[str, Callable[[], RunRequest]] = {
            "full": lambda: RunRequest(wait=wait),
            "older full": lambda: RunRequest(as_of=older, wait=wait),
            "incremental": lambda: RunRequest(command=INCREMENTAL, wait=wait),
            "dry": lambda: RunRequest(command=INCREMENTAL, dry_run=True, wait=wait),
            "context": lambda: RunRequest(scope=scope, wait=wait),
            "older context": lambda: RunRequest(scope=scope, as_of=older, wait=wait),
            "learner": lambda: RunRequest(scope=of_learner, wait=wait),
            "changed": lambda: RunRequest(command=CHANGED, changed=NAMED_PAIRS, wait=wait),
            "resume": lambda: RunRequest(resume=LAST, wait=wait),
        }
        return partial(run, requests[drawn]())

    def _command_in_calm(self, command: Command) -> None:
        def script(lane: Lane) -> None:
            self._in_a_process(lane, command)

        self.scheduler.run([script], CALM)

    def _in_a_process(self, lane: Lane, command: Command) -> None:
        process = Process(lane, self.chance.uniform(-_SKEW, _SKEW))
        lane.process = process
        try:
            with translated():
                command(self._surroundings(process))
        except (JobError, Killed):
            pass  # what a command says when it fails is of no interest here, nor that it was killed
        finally:
            lane.process = None

    def _surroundings(self, process: Process) -> Surroundings:
        session: Any = Session(process, self.world.store)
        erased: Any = ErasedLearners(self.world, process)
        nowhere: Any = None
        return Surroundings(
            self.settings, "", nowhere, session, Ledger(session, "twin", "aggregate_runs", process), erased,
            TwinWork(self.world, process), process, process.keeping, lambda: _Silent("json"),
        )  # fmt: skip

    def trace(self) -> str:
        """A digest of all that was said, at its time, and of every cell that is left with its write time."""
        tables = sorted(
            (name, sorted((key, sorted(cells.items())) for key, cells in table.rows.items()))
            for name, table in self.world.store.tables.items()
        )
        return hashlib.sha256(f"{self.said.getvalue()}{tables}".encode()).hexdigest()

    def ledger(self) -> Ledger:
        """The ledger, for who looks on."""
        process = Process(Lane(self.scheduler), 0.0)
        process.is_quiet = True
        session: Any = Session(process, self.world.store)
        return Ledger(session, "twin", "aggregate_runs", process)

    def records(self) -> list[RunRecord]:
        """The ledger as it stands, newest first."""
        return self.ledger().recent(1000)

    def _check_records(self) -> None:
        if self.world.broken:
            raise Broken(self.world.broken[0])
        for record in self.records():
            if not record.began_writing and self.world.writes.get(record.run_id):
                raise Broken(f"run {record.run_id}, which is {record.status}, wrote and its record does not say so")

    def _check_base(self) -> None:
        """After a full run one that looks at changes does so, and does not compute everything for ever.

        Where an erase has died and none has finished it there is none: the operator has to do so first.
        """
        erases = [record for record in self.records() if record.command == ERASE and record.began_writing]
        is_finished = all(
            any(later.status == SUCCEEDED and _finishes(later, dead) for later in erases[:at])
            for at, dead in enumerate(erases)
            if dead.status != SUCCEEDED
        )
        self._command_in_calm(partial(run, RunRequest(command=INCREMENTAL)))
        if (self.records()[0].command == INCREMENTAL) is not is_finished:
            raise Broken(f"{self.records()[0].command} is what came of an incremental run; finished: {is_finished}")

    def _check(self, after: str) -> None:
        last = self.records()[0]
        if last.status != SUCCEEDED:
            raise Broken(f"{after} is {last.status}: {last.message}")
        expected = self.world.expected()
        for table in TABLES:
            found = self.world.stored(table)
            if {key: row for key, row in found.items() if row} != expected[table]:
                raise Broken(f"{table} after {after}: {found}, not {expected[table]}")


@contextmanager
def _by_chance(seed: int) -> Iterator[None]:
    """The pauses between attempts, the ids of runs and who holds the lease are those of the seed."""
    random.seed(seed)
    tokens = random.Random(seed)
    with patch.object(secrets, "token_hex", lambda size: tokens.randbytes(size).hex()):
        yield


def run(request: RunRequest, around: Surroundings) -> None:
    carry_out(around, request)


def erase(user_ids: frozenset[str], wait: float, around: Surroundings) -> None:
    work, process = around.work, around.clock
    assert isinstance(work, TwinWork)
    assert isinstance(process, Process)
    erase_learners(around, TwinRows(work.world, process), user_ids, dry_run=False, wait=wait)


def backfill(contexts: frozenset[str], around: Surroundings) -> None:
    plan = Backfill("twin", Scope(contexts=contexts), None, None, APPROVED, "-".join(sorted(contexts)))
    carry_out_plan(around, plan, BackfillRequest(Path("twin.yaml"), again=True))


def _finishes(erase: RunRecord, dead: RunRecord) -> bool:
    """One that died before it had kept whom it was of is finished by one for the same learners alone."""
    return not dead.counts.get(UNKEPT) or erase.scope == dead.scope


def played(seed: int) -> History:
    """The history of a seed, to its end."""
    history = History(seed)
    history.play()
    return history


if __name__ == "__main__":  # the traces of a range of seeds
    for drawn in range(*map(int, sys.argv[1:])):
        print(played(drawn).trace(), flush=True)
