"""What a run says while it works: drawn on a terminal, elsewhere a line of text or JSON for each phase that ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TextIO

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from activity_aggregates import logs
from activity_aggregates.terminal.console import is_terminal

if TYPE_CHECKING:
    from activity_aggregates.terminal.phases import Display, Phase

Done = Callable[[], int]


@dataclass
class Step:
    """A phase under way.

    `rows` is what it has handled (read, compared or sent), for that is what its time goes into, `of` how many there
    will be. Whoever counts them sets them. `number` is its place in the run, `to_come` how many phases usually come
    after it.
    """

    name: str
    started: float
    number: int = 0
    to_come: int = 0
    rows: int | None = None
    of: int | None = None
    rows_so_far: Done | None = None

    def summary(self, seconds: float) -> str:
        """The phase when it has ended.

        >>> Step("compare activity_agg", 0.0, rows=1200).summary(2.0)
        'compare activity_agg: 2.0 s, 1,200 rows, 600 rows/s'
        """
        rows = "" if self.rows is None else f", {self.rows:,} rows, {self.rows / seconds if seconds else 0:,.0f} rows/s"
        return f"{self.name}: {seconds:.1f} s{rows}"


@dataclass
class Steps:
    """Times the phases of a run, in seconds by name, and reports them; `short` leaves out those that have ended.

    On a terminal they are drawn while they go on, unless the format is plain or json. `usual` are the phases that the
    run is expected to have, with the seconds that each took the last time, 0 where nobody knows.
    """

    format: Literal["auto", "plain", "short", "json"]
    out: TextIO = field(default_factory=lambda: sys.stderr)
    spark: SparkSession | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)
    _display: Display | None = field(default=None, init=False, repr=False)
    _begun: int = field(default=0, init=False, repr=False)
    _passed: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._begun = len(self.seconds)
        if self.format in ("auto", "short") and is_terminal(self.out):
            from activity_aggregates.terminal.phases import Display  # what draws is loaded where somebody watches

            self._display = Display(self.out)

    @contextmanager
    def __call__(self, name: str) -> Iterator[Step]:
        """Time a phase; a phase that fails is timed too."""
        step = self._next(name)
        display = self._display
        try:
            with logs.about(phase=name), display.showing(lambda: self._drawn(step)) if display else nullcontext():
                yield step
        finally:
            took = time.monotonic() - step.started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
        self._report(step, took)

    def _next(self, name: str) -> Step:
        usual = list(self.usual)
        self._begun += 1
        if name in usual:
            self._passed = usual.index(name) + 1
        return Step(name, time.monotonic(), self._begun, len(usual) - self._passed)

    def say(self, message: str, **details: Any) -> None:
        """One line about the run as a whole."""
        line = logs.entry("info", message, **details) if self.format == logs.JSON else message
        if self._display:
            self._display.say(line)
        else:
            print(line, file=self.out, flush=True)

    def _report(self, step: Step, took: float) -> None:
        if self.format == "short":
            return
        if self._display:
            self._display.ended(replace(self._phase(step, took), rows=step.rows))
            return
        details = {"phase": step.name, "seconds": round(took, 3), "rows": step.rows}
        self.say(step.summary(took), **details)

    def _phase(self, step: Step, seconds: float) -> Phase:
        """A phase with its place in the run."""
        from activity_aggregates.terminal.phases import Phase

        of = step.number + step.to_come if self.usual else None
        return Phase(step.name, step.number, of, seconds, usual=self.usual.get(step.name))

    def _drawn(self, step: Step) -> Phase:
        """A phase under way, by its rows where they are counted, or by the tasks that Spark has for it."""
        phase = self._phase(step, time.monotonic() - step.started)
        if step.rows_so_far:
            return replace(phase, done=step.rows_so_far(), all=step.of, are_rows=True)
        done, tasks = self._tasks()
        return replace(phase, done=done, all=tasks)

    def _tasks(self) -> tuple[int, int]:
        """How many tasks are done, and how many there are, in the stages that Spark runs now."""
        if self.spark is None:
            return 0, 0
        try:
            tracker = self.spark.sparkContext.statusTracker()
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        except (Py4JError, OSError):  # the JVM is about to end, or has ended: whoever needs it will tell
            return 0, 0
        done = sum(stage.numCompletedTasks for stage in stages if stage)
        return done, sum(stage.numTasks for stage in stages if stage)
