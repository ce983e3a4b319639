"""The phases of a run on a terminal: the one under way at the foot, those that have ended above it."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from activity_aggregates.terminal.console import console

_REDRAW_SECONDS = 0.25
_BAR = (10, 40)  # the narrowest that says anything, and the widest
_GAP = 2
_PLACE, _NAME, _SECONDS, _ROWS, _SPEED = 5, 34, 9, 16, 16  # columns of phases that have ended
_WIDE = 90  # from here on they stand in columns


@dataclass(frozen=True)
class Phase:
    """A phase, number `number` of `of` where that is known, `seconds` old.

    `done` of `all` rows are sent, or else that many of Spark's tasks are done. `usual` seconds is what it took the last
    time. `rows` are known at its end.
    """

    name: str
    number: int
    of: int | None
    seconds: float
    done: int = 0
    all: int | None = None
    are_rows: bool = False
    usual: float | None = None
    rows: int | None = None

    @property
    def place(self) -> str:
        return f"{self.number}/{self.of}" if self.of else str(self.number)

    @property
    def speed(self) -> float:
        """Rows per second."""
        rows = self.done if self.rows is None else self.rows
        return rows / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float | None:
        """How much of it is done, 0..1, by rows, by the time that it took before, or by tasks; None: nobody knows.

        Rows are known to be sent when their task is done, so at first there are none.
        """
        if self.all and self.are_rows and self.done:
            return min(1.0, self.done / self.all)
        if self.usual:
            return min(1.0, self.seconds / self.usual)
        return min(1.0, self.done / self.all) if self.all and not self.are_rows else None


class Display:
    """Draws on one terminal. A phase may begin within another; the one that began last is shown."""

    def __init__(self, stream: TextIO) -> None:
        self._console = console(stream)
        self._under_way: list[Callable[[], Phase]] = []
        atexit.register(self._show_cursor)

    @contextmanager
    def showing(self, state: Callable[[], Phase]) -> Iterator[None]:
        """Show a phase as long as the block lasts; `state` is asked from another thread."""
        self._under_way.append(state)
        try:
            if len(self._under_way) > 1:
                yield
                return
            with self._drawn():
                yield
        finally:
            self._under_way.remove(state)

    def say(self, line: str) -> None:
        """A line above the phase under way."""
        self._console.print(Text(line))

    def ended(self, phase: Phase) -> None:
        """The line of a phase that has ended, above the one under way."""
        self._console.print(summary(phase, self._console.width))

    def _show_cursor(self) -> None:
        """Whatever has cut off the drawing, a second Ctrl-C too: the cursor comes back, if the terminal is there."""
        with suppress(OSError, ValueError):
            self._console.show_cursor()

    @contextmanager
    def _drawn(self) -> Iterator[None]:
        # What is printed meanwhile goes above the line; but what is piped elsewhere stays there.
        live = Live(
            console=self._console, transient=True, auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(), redirect_stderr=sys.stderr.isatty(),
        )  # fmt: skip
        ended = threading.Event()
        painter = threading.Thread(target=self._paint, args=(live, ended), daemon=True)
        with live:
            painter.start()
            try:
                yield
            finally:
                ended.set()
                painter.join()

    def _paint(self, live: Live, ended: threading.Event) -> None:
        while not ended.wait(_REDRAW_SECONDS):
            live.update(under_way(self._under_way[-1](), self._console.width), refresh=True)


def under_way(phase: Phase, width: int) -> Table:
    """The line of a phase while it goes on: what has no place on it is left out, the least important first."""
    parts = _parts(phase)
    while len(parts) > 1 and _width(parts) >= width:
        parts.remove(max(parts, key=lambda part: part[0]))
    for _, text in parts:
        text.truncate(width - 1, overflow="ellipsis")
    left = width - 1 - _width(parts) - _GAP
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    cells: list[Text | ProgressBar] = [text for _, text in parts]
    if phase.share is not None and left >= _BAR[0]:
        cells.insert(2, ProgressBar(1.0, phase.share, width=min(left, _BAR[1]), finished_style="bar.complete"))
    for _ in cells:
        grid.add_column(no_wrap=True)
    grid.add_row(*cells)
    return grid


def _parts(phase: Phase) -> list[tuple[int, Text]]:
    """From left to right what there is to say, each with its rank: that of the highest goes first."""
    parts = [(2, Text(f"{phase.place:>{_PLACE}}", "dim")), (0, Text(phase.name, "bold"))]
    if phase.are_rows:
        parts.append((1, Text(f"{phase.done:,} of {phase.all or 0:,} rows")))
    if phase.are_rows and phase.speed:
        left = timedelta(seconds=round(max(0, (phase.all or 0) - phase.done) / phase.speed))
        return [*parts, (5, Text(f"{phase.speed:,.0f} rows/s")), (3, Text(f"{left} left", "cyan"))]
    usual = f" of about {phase.usual:,.0f}" if phase.usual else ""
    parts.append((3, Text(f"{phase.seconds:,.0f}{usual} s", "cyan")))
    if phase.all and not phase.are_rows:
        parts.append((4, Text(f"{phase.done:,} of {phase.all:,} tasks")))
    return parts


def _width(parts: list[tuple[int, Text]]) -> int:
    return sum(text.cell_len for _, text in parts) + _GAP * (len(parts) - 1)


def summary(phase: Phase, width: int) -> Text:
    """The line of a phase that has ended: in columns where there is room for them."""
    rows = "" if phase.rows is None else f"{phase.rows:,} rows"
    speed = "" if phase.rows is None else f"{phase.speed:,.0f} rows/s"
    seconds = f"{phase.seconds:.1f} s"
    place = Text(f"{phase.place:>{_PLACE}}  ", "dim")
    if width < _WIDE:
        return place.append(", ".join(filter(None, (f"{phase.name}: {seconds}", rows))), "not dim")
    columns = f"{phase.name:<{_NAME}}{seconds:>{_SECONDS}}{rows:>{_ROWS}}{speed:>{_SPEED}}"
    return place.append(columns.rstrip(), "not dim")
