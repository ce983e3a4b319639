"""What of a run needs Spark and the tables, on the tiny platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from activity_aggregates.errors import Unreachable
from activity_aggregates.protocol.asked import Asked, Unit
from activity_aggregates.protocol.execution import STAGED, Execution
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.writing.sending import LeaseWatch
from tests.protocol.scheduler import Killed, Process
from tests.protocol.staging import Staging
from tests.protocol.world import DATE, GROUP_ROWS, LEARNER_ROWS, TABLES, Change, Key, Session, World

_SECONDS_OF_A_REQUEST = 1.5
_DANGER_OF_WRITING = 30.0  # times as likely to die as elsewhere: that is what there is to be seen


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

    def tidy(self, execution: Execution) -> None:
        self._step()

    def show(self, execution: Execution, out: Path | None = None) -> None:
        self._step()

    def stage(self, execution: Execution, asked: Asked) -> None:
        staged_at = self._world.tick()
        self._world.stagings.append(asked)
        changes, newer = Staging(self._world, self._step, execution, asked, self.rules).changes()
        for table in TABLES:
            execution.counts[f"changed.{table}"] = len({change[1] for change in changes if change[0] == table})
            execution.counts[f"newer.{table}"] = newer[table]
        self._step()
        self._world.staged[execution.record.staging_dir] = (changes, staged_at)
        self._step()

    def units(self, execution: Execution) -> dict[Unit, dict[str, int]]:
        changes = self._of_unit(execution, None)
        contexts = sorted({key[0] for table, key, _, _ in changes if table != GROUP_ROWS})
        units = [*(Unit(frozenset([context])) for context in contexts), Unit()]
        return {unit: self._counted(execution, unit) for unit in units}

    def _counted(self, execution: Execution, unit: Unit) -> dict[str, int]:
        rows = {change[:2] for change in self._of_unit(execution, unit)}
        changed = {f"changed.{table}": sum(row[0] == table for row in rows) for table in TABLES}
        return {STAGED: len(rows), **changed}

    def rows_of(self, execution: Execution, unit: Unit | None) -> int:
        return len({change[:2] for change in self._of_unit(execution, unit)})

    def _of_unit(self, execution: Execution, unit: Unit | None) -> list[Change]:
        changes, _ = self._world.staged.get(execution.record.staging_dir, ([], 0))
        if unit is None:
            return changes
        return [
            each for each in changes if (each[0] == GROUP_ROWS if unit.is_of_groups else each[1][0] in unit.contexts)
        ]

    def announce(self, execution: Execution, unit: Unit | None) -> None:
        self._step()

    def apply(self, execution: Execution, unit: Unit | None) -> None:
        """Write entry by entry, in any order; what was sent arrives, and tasks may go on when the process has died."""
        changes, rows = list(self._of_unit(execution, unit)), self.rows_of(execution, unit)
        self._world.scheduler.chance.shuffle(changes)
        if changes:
            _, staged_at = self._world.staged[execution.record.staging_dir]
            Task(self._world, self._process, execution, staged_at).write(changes)
        execution.counts["written"] = len(changes)
        if rows != execution.staged_rows:
            raise Unreachable(f"{execution.staged_rows - rows} rows were not acknowledged")

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
                if self._world.is_killed_now():
                    self._process.die()
                    raise Killed
                last_arrival = max(last_arrival, self._send(left.pop()))
                scheduler.advance(pause)
                if scheduler.chance.random() < scheduler.chances.of_a_failed_write:
                    raise Unreachable("a write was not acknowledged")
                scheduler.step(self._process, danger=_DANGER_OF_WRITING)
            scheduler.sleep(self._process, last_arrival - scheduler.time)
        except BaseException:
            self._go_on_alone(left, watch)
            raise

    def _send(self, change: Change) -> float:
        seconds = self._world.scheduler.chance.random() * _SECONDS_OF_A_REQUEST
        self._world.scheduler.at(seconds, lambda: self._arrive(change))
        return self._world.scheduler.time + seconds

    def _go_on_alone(self, left: list[Change], watch: LeaseWatch) -> None:
        """The driver is gone or has given up; a task of its goes on until it hears that the lease has gone."""
        scheduler = self._world.scheduler
        if not left or scheduler.chance.random() < 0.3:
            return
        task = Process(self._process.lane, self._process.offset)
        task.is_quiet = True
        session: Any = _Certain(task, self._world.store)
        alone = LeaseWatch(self._ticket, session, 0.0, task)
        alone._ask_at = watch._ask_at  # it knows what it has heard before
        self._next_alone(left, alone)

    def _next_alone(self, left: list[Change], watch: LeaseWatch) -> None:
        scheduler = self._world.scheduler
        try:
            watch.check()
        except Unreachable:
            return
        self._send(left.pop())
        if left:
            scheduler.at(scheduler.chance.random() * 3.0, lambda: self._next_alone(left, watch))

    def _arrive(self, change: Change) -> None:
        table, key, entry, value = change
        world, written = self._world, self._record.write_time
        world.arrived(self._ticket, self._staged_at, self._record.command == "erase")
        world.writes[self._record.run_id] = world.writes.get(self._record.run_id, 0) + 1
        date = None if value is None else epoch_milliseconds(self._record.as_of)
        world.store.table(table).write(key, {entry: value, DATE + entry: date}, written)


class _Certain(Session):
    """A session whose answers do not get lost."""

    def execute(self, statement: Any, values: Iterable[Any] = ()) -> Any:
        return self._store.execute(statement.query_string, list(values))


class TwinRows:
    """The rows of erased learners."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def count(self, execution: Execution, asked: Asked) -> Mapping[str, int]:
        return {LEARNER_ROWS: len(self._keys(execution))}

    def delete(self, execution: Execution) -> int:
        keys = self._keys(execution)
        written = epoch_milliseconds(self._process.now()) * 1000 + 10_000_000
        for table, key in keys:
            self._process.scheduler.step(self._process)
            execution.lease.check()
            self._world.arrived(execution.lease.ticket, 0, True)
            rows = self._world.store.table(table)
            rows.write(key, dict.fromkeys(rows.rows[key]), written)
        return len(keys)

    def clear_announced(self, execution: Execution) -> None:
        pass

    def clear_staged(self, execution: Execution) -> int:
        self._process.scheduler.step(self._process)
        number = len(self._world.staged)
        self._world.staged.clear()
        return number

    def _keys(self, execution: Execution) -> list[tuple[str, Key]]:
        rows = [(table, key) for table in (LEARNER_ROWS, GROUP_ROWS) for key in self._world.stored(table)]
        return [(table, key) for table, key in rows if key[-1] in execution.erased.hashes]
