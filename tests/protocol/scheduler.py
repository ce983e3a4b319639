"""Several processes that take turns, drawn from a seed: they stall, die at any step, and their answers get lost.

Every process is a thread, and only the one whose turn it is runs. Time is virtual: it passes at steps, and while all of
them sleep.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cassandra import OperationTimedOut

from activity_aggregates.clock import Clock
from activity_aggregates.store.lease import Lease

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process is no more: nothing that it would still do, in whatever `finally`, has an effect."""


@dataclass(frozen=True)
class Chances:
    """Of each step; `longest_stall` is in seconds. At the end of a history nothing happens any more."""

    of_a_turn: float = 0.06
    of_death: float = 0.005
    of_a_stall: float = 0.008
    of_a_lost_answer: float = 0.01
    of_a_failed_write: float = 0.02
    longest_stall: float = 45.0


CALM = Chances(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass
class Heart:
    """The heartbeat of a lease that a process holds."""

    lease: Lease
    next_beat: float
    every: float


class Process(Clock):
    """One run of the command: its clock is off by up to the skew that is allowed."""

    def __init__(self, lane: Lane, offset: float) -> None:
        self.lane = lane
        self.scheduler = lane.scheduler
        self.offset = offset
        self.is_dead = False
        self.heart: Heart | None = None
        self.heart_stalls_until = 0.0
        self.is_quiet = False  # a step of its heart, or of what it has sent, is one step

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.scheduler.time + self.offset)

    def monotonic(self) -> float:
        return self.scheduler.time

    def sleep(self, seconds: float) -> None:
        self.scheduler.step(self)
        self.scheduler.sleep(self, seconds)

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[None]:
        """What a thread does in the real process."""
        every = lease.ticket.ttl / 6
        self.heart = Heart(lease, self.scheduler.time + every, every)
        self.scheduler.beats_from(self.heart.next_beat)
        try:
            yield
        finally:
            self.heart = None

    @property
    def next_beat(self) -> float:
        """When its heart beats next; it has one."""
        assert self.heart is not None
        return max(self.heart.next_beat, self.heart_stalls_until)

    def die(self) -> None:
        self.is_dead = True
        self.heart = None


@dataclass
class Lane:
    """A thread in which processes follow each other."""

    scheduler: Scheduler
    turn: threading.Lock = field(default_factory=threading.Lock)
    wakes_at: float = 0.0
    is_done: bool = False
    process: Process | None = None


class Scheduler:
    """Whose turn it is, and what time."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.chances = CALM
        self.time = (BEGINNING - _EPOCH).total_seconds()
        self.lanes: list[Lane] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._no_beat_before = math.inf
        self._finished = threading.Lock()
        self._failure: BaseException | None = None

    def run(self, scripts: Sequence[Callable[[Lane], None]], chances: Chances) -> None:
        """Run the scripts side by side until all have come to their end; raises what one of them raised."""
        self.chances = chances
        self.lanes = [Lane(self) for _ in scripts]
        if len(scripts) == 1:  # its turns are all its own
            scripts[0](self.lanes[0])
            self.chances = CALM
            return
        self._finished.acquire()
        for lane, script in zip(self.lanes, scripts, strict=True):
            lane.turn.acquire()
            threading.Thread(target=self._in_lane, args=(lane, script), daemon=True).start()
        self.chance.choice(self.lanes).turn.release()
        self._finished.acquire()
        self._finished.release()
        self.chances = CALM
        if self._failure is not None:
            raise self._failure

    def _in_lane(self, lane: Lane, script: Callable[[Lane], None]) -> None:
        lane.turn.acquire()
        try:
            script(lane)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._failure = error
            self._finished.release()
            return
        lane.is_done = True
        left = [other for other in self.lanes if not other.is_done]
        if left:
            self._next_of(left).turn.release()
        else:
            self._finished.release()

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Have something happen later, whatever becomes of who caused it."""
        self._number += 1
        heapq.heappush(self._events, (self.time + seconds, self._number, event))

    def step(self, process: Process, danger: float = 1.0, *, may_stall: bool = True) -> None:
        """A moment at which anything may happen to a process; `danger` is by how much likelier its death is.

        Between a look at its lease and what it sends then, no process stalls: the margin of a lease allows for as much
        as a request may take, and not for more.
        """
        if process.is_dead:
            raise Killed
        if process.is_quiet:
            return
        self.advance(self.chance.random() * 0.02)
        drawn, chances = self.chance.random(), self.chances
        if drawn >= danger * chances.of_death + chances.of_a_stall + chances.of_a_turn:
            return
        if drawn < danger * chances.of_death:
            process.die()
            raise Killed
        drawn -= danger * chances.of_death
        if not may_stall:
            return
        if drawn < chances.of_a_stall:
            self._stall(process)
        else:
            self._let_others_in(process)

    def _stall(self, process: Process) -> None:
        """What waits stands still, or the heartbeat, or the whole process."""
        seconds = self.chance.random() * self.chances.longest_stall
        which = self.chance.randrange(3)
        if which > 0:
            process.heart_stalls_until = self.time + seconds
        if which < 2:
            self.sleep(process, seconds)

    def answer(self, process: Process, statement: Callable[[], Any], *, may_stall: bool) -> Any:
        """What a statement of a process comes to: the process may die before or after, and the answer get lost."""
        self.step(process, may_stall=may_stall)
        if self.chance.random() < self.chances.of_a_lost_answer:
            self._lose(statement)
            raise OperationTimedOut
        found = statement()
        self.step(process)
        return found

    def _lose(self, statement: Callable[[], Any]) -> None:
        """The statement is not carried out, or it is, at once or some time after who sent it has given up."""
        drawn = self.chance.random()
        if drawn < 1 / 3:
            statement()
        elif drawn < 2 / 3:
            self.at(self.chance.random() * 5.0, lambda: (statement(), None)[1])

    def sleep(self, process: Process, seconds: float) -> None:
        process.lane.wakes_at = self.time + seconds
        self._let_others_in(process)

    def _let_others_in(self, process: Process) -> None:
        me = process.lane
        chosen = self._next_of([lane for lane in self.lanes if not lane.is_done])
        if chosen is not me:
            chosen.turn.release()
            me.turn.acquire()
        if process.is_dead:
            raise Killed

    def _next_of(self, lanes: list[Lane]) -> Lane:
        """One that is awake; time passes until one is."""
        awake = [lane for lane in lanes if lane.wakes_at <= self.time]
        if not awake:
            self.advance(min(lane.wakes_at for lane in lanes) - self.time)
            awake = [lane for lane in lanes if lane.wakes_at <= self.time]
        return self.chance.choice(awake)

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that happens meanwhile, in its order."""
        until = self.time + seconds
        if until < self._no_beat_before and not (self._events and self._events[0][0] <= until):
            self.time = until
            return
        while True:
            beat, process = self._next_beat(until)
            if self._events and self._events[0][0] <= min(beat, until):
                self.time, _, happens = heapq.heappop(self._events)
                happens()
            elif process is not None:
                self._beat(process, beat)
            else:
                break
        self.time = max(self.time, until)

    def beats_from(self, moment: float) -> None:
        """A heart begins to beat."""
        self._no_beat_before = min(self._no_beat_before, moment)

    def _next_beat(self, until: float) -> tuple[float, Process | None]:
        """When which heart beats first, if one does until then."""
        beating = [lane.process for lane in self.lanes if lane.process is not None and lane.process.heart is not None]
        soonest, whose, self._no_beat_before = until, None, math.inf
        for process in beating:
            beat = process.next_beat
            self._no_beat_before = min(self._no_beat_before, beat)
            if beat <= soonest:
                soonest, whose = beat, process
        return soonest, whose

    def _beat(self, process: Process, at: float) -> None:
        heart = process.heart
        assert heart is not None
        self.time = max(self.time, at)
        heart.next_beat = self.time + heart.every
        with quietly(process):
            heart.lease.beat()


@contextmanager
def quietly(process: Process) -> Iterator[None]:
    """Nothing happens to the process meanwhile."""
    before, process.is_quiet = process.is_quiet, True
    try:
        yield
    finally:
        process.is_quiet = before
