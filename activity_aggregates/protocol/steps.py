"""What a run says while it works: a live line on a terminal, and a line of text or JSON for each phase that ended."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from pyspark.sql import SparkSession

from activity_aggregates import logs

_REDRAW_SECONDS = 0.5
_CLEAR_LINE = "\r\x1b[K"
Done = Callable[[], int]


@dataclass
class Step:
    """A phase under way.

    `rows` is what it has handled (read, compared or sent), for that is what its time goes into; `changed` how many of
    them differ from what is stored; `of` how many there will be. Whoever counts them sets them.
    """

    name: str
    started: float
    rows: int | None = None
    changed: int | None = None
    of: int | None = None
    rows_so_far: Done | None = None

    def describe(self, seconds: float, tasks: str) -> str:
        """The phase while it goes on."""
        rows = self.rows_so_far() if self.rows_so_far else None
        if rows is None:
            return f"{self.name} {tasks} {seconds:.0f} s"
        speed = rows / seconds if seconds else 0.0
        left = f", {(self.of - rows) / speed:.0f} s left" if self.of and speed else ""
        return f"{self.name} {rows:,} of {self.of or 0:,} rows, {speed:,.0f} rows/s{left}"

    def summary(self, seconds: float) -> str:
        """The phase when it has ended.

        >>> Step("compare activity_agg", 0.0, rows=1200, changed=23).summary(2.0)
        'compare activity_agg: 2.0 s, 1,200 rows, 600 rows/s, 23 of them changed'
        """
        rows = "" if self.rows is None else f", {self.rows:,} rows, {self.rows / seconds if seconds else 0:,.0f} rows/s"
        changed = "" if self.changed is None else f", {self.changed:,} of them changed"
        return f"{self.name}: {seconds:.1f} s{rows}{changed}"


@dataclass
class Steps:
    """Times the phases of a run, in seconds by name, and reports them; `short` leaves out those that have ended."""

    format: Literal["auto", "plain", "short", "json"]
    out: TextIO = field(default_factory=lambda: sys.stderr)
    spark: SparkSession | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[Step]:
        """Time a phase; a phase that fails is timed too."""
        step = Step(name, time.monotonic())
        ended = threading.Event()
        painter = threading.Thread(target=self._paint, args=(step, ended), daemon=True)
        if self._is_live:
            painter.start()
        try:
            with logs.about(phase=name):
                yield step
        finally:
            ended.set()
            if self._is_live:
                painter.join()
            took = time.monotonic() - step.started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
        self._report(step, took)

    def say(self, message: str, **details: Any) -> None:
        """One line about the run as a whole."""
        line = logs.entry("info", message, **details) if self.format == logs.JSON else message
        start = _CLEAR_LINE if self._is_live else ""  # the live line of a phase under way may stand there
        print(f"{start}{line}", file=self.out, flush=True)

    @property
    def _is_live(self) -> bool:
        return self.format in ("auto", "short") and self.out.isatty()

    def _report(self, step: Step, took: float) -> None:
        if self.format == "short":
            return
        details = {"phase": step.name, "seconds": round(took, 3), "rows": step.rows, "changed": step.changed}
        self.say(step.summary(took), **details)

    def _paint(self, step: Step, ended: threading.Event) -> None:
        while not ended.wait(_REDRAW_SECONDS):
            line = step.describe(time.monotonic() - step.started, self._tasks())
            print(f"{_CLEAR_LINE}{line}", end="", file=self.out, flush=True)
        print(_CLEAR_LINE, end="", file=self.out, flush=True)

    def _tasks(self) -> str:
        """The tasks of the stages that Spark runs now, and the time that they will take at their speed so far."""
        if self.spark is None:
            return ""
        tracker = self.spark.sparkContext.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        done = sum(stage.numCompletedTasks for stage in stages if stage)
        total = sum(stage.numTasks for stage in stages if stage)
        return f"{done} of {total} tasks" if total else ""
