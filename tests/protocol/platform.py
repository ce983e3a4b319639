"""A platform on the twin where nothing happens by chance: one operator who gives one command after the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path

from activity_aggregates.errors import JobError
from activity_aggregates.request.backfills import APPROVED, Backfill
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.flow import RunRequest, Surroundings
from activity_aggregates.store.records import INCREMENTAL, RunRecord
from jobs import backfill as backfills
from tests.protocol import history
from tests.protocol.history import History
from tests.protocol.scheduler import CALM, Killed, Lane, Process
from tests.protocol.world import CONTEXTS, LEARNERS

U1, B1 = Scope(users=frozenset({"u1"})), Scope(contexts=frozenset({"cb:b1"}))
FULL, SINCE = RunRequest(), RunRequest(command=INCREMENTAL)
FULL_AND_WAIT, SINCE_AND_WAIT = replace(FULL, wait=60.0), replace(SINCE, wait=60.0)
Command = Callable[[Surroundings], object]


class Platform(History):
    """One operator who gives one command after the other."""

    def __init__(self) -> None:
        super().__init__(1)
        self.settings = history.twin_settings(has_groups=False)
        for context in CONTEXTS:
            for learner in LEARNERS:
                self.do(context, learner, 1)

    def do(self, context: str, learner: str, value: int | None) -> None:
        self.scheduler.advance(60.0)
        self.world.sources[context, learner] = (value, self.scheduler.time)

    def command(self, command: Command, *, dies_after: int | None = None) -> str:
        """What it prints; one that is to die does so after so many writes."""
        said, failures = io.StringIO(), list[JobError]()

        def script(lane: Lane) -> None:
            process = Process(lane, 0.0)
            lane.process = process
            try:
                command(self._surroundings(process))
            except JobError as error:
                failures.append(error)
            except Killed:
                pass
            lane.process = None

        self.world.dies_after = dies_after
        with redirect_stdout(said):
            self.scheduler.run([script], CALM)
        self.world.dies_after = None
        self.scheduler.advance(2.0)
        if failures:
            raise failures[0]
        return said.getvalue()

    def run(self, request: RunRequest, *, dies_after: int | None = None) -> RunRecord:
        self.command(partial(history.run, request), dies_after=dies_after)
        return self.latest

    def told_by(self, request: RunRequest) -> str:
        return self.command(partial(history.run, request))

    def backfill(self, *contexts: str, dies_after: int | None = None) -> str:
        plan = Backfill("again", Scope(contexts=frozenset(contexts)), None, None, APPROVED, "digest")

        def carry_out(around: Surroundings) -> None:
            backfills.carry_out_plan(around, plan, backfills.BackfillRequest(Path("again.yaml")))

        return self.command(carry_out, dies_after=dies_after)

    def within(self, command: Command) -> None:
        """Another process does it while one is under way, between two of its steps."""
        lane = self.scheduler.lanes[0]
        before, lane.process = lane.process, Process(lane, 0.0)
        command(self._surroundings(lane.process))
        lane.process = before

    @property
    def latest(self) -> RunRecord:
        return self.records()[0]

    def is_right(self) -> bool:
        found = {
            table: {k: row for k, row in self.world.stored(table).items() if row} for table in self.world.expected()
        }
        return found == self.world.expected()
