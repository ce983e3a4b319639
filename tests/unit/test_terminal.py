"""What is drawn on a terminal, and that nothing is where none is."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console, RenderableType

from activity_aggregates.protocol.steps import Steps
from activity_aggregates.terminal.console import is_terminal
from activity_aggregates.terminal.phases import Phase, summary, under_way
from tests.harness.processes import shown_settings

ROOT = Path(__file__).parents[2]
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
WRITING = Phase("write", 9, 11, seconds=10.0, done=30_000, all=50_000, are_rows=True)
READING = Phase("read progress", 7, 11, seconds=5.0, usual=20.0, done=3, all=16)


class Terminal:
    """The two ends of a terminal: what is written to `stream` is `seen`."""

    def __init__(self) -> None:
        self._screen, end = pty.openpty()
        self.stream: TextIO = os.fdopen(end, "w", encoding="utf-8")
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while some := os.read(self._screen, 4096):
                self._seen += some
        except OSError:  # the other end is closed
            return

    def waits_for(self, text: str) -> None:
        while text not in self._seen.decode("utf-8", "ignore"):
            time.sleep(0.01)

    def seen(self) -> str:
        self.stream.close()
        self._reader.join()
        os.close(self._screen)
        return self._seen.decode("utf-8")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def drawn(what: RenderableType, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(what, end="")
    return out.getvalue().rstrip("\n")


def test_a_phase_is_drawn_while_it_goes_on_and_stays_as_a_line(terminal: Terminal) -> None:
    steps = Steps("auto", terminal.stream, usual={"read": 2.0, "write": 0.0})
    with steps("write") as step:
        step.of, step.rows_so_far = 50_000, lambda: 30_000
        terminal.waits_for("30,000 of 50,000 rows")
        steps.say("a line between")
        step.rows = 50_000
    seen = terminal.seen()
    assert HIDE_CURSOR in seen
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)
    assert "a line between\r\n" in seen
    assert "50,000 rows" in seen.splitlines()[-1]


def test_the_terminal_is_as_it_was_after_an_interrupt(terminal: Terminal) -> None:
    steps = Steps("auto", terminal.stream)
    with suppress(KeyboardInterrupt), steps("read progress"):
        terminal.waits_for("read progress")
        raise KeyboardInterrupt
    seen = terminal.seen()
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)
    assert seen.endswith("\x1b[2K"), "the line of the phase is gone"


def test_of_phases_within_each_other_the_inner_one_is_shown(terminal: Terminal) -> None:
    steps = Steps("short", terminal.stream)
    with steps("read groups"):
        with steps("look up groups"):
            terminal.waits_for("look up groups")
        terminal.waits_for("read groups")
    assert list(steps.seconds) == ["look up groups", "read groups"]
    terminal.seen()


def test_a_phase_knows_its_place_also_where_one_comes_that_is_not_usual(terminal: Terminal) -> None:
    steps = Steps("auto", terminal.stream, usual=dict.fromkeys(("open sources", "read progress", "write"), 0.0))
    for name in ("open sources", "keep refused rows", "read progress", "write"):
        with steps(name):
            pass
    assert re.findall(r"\d/\d", terminal.seen()) == ["1/3", "2/4", "3/4", "4/4"]


def test_without_colours_nothing_is_coloured(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    steps = Steps("auto", terminal.stream)
    with steps("read progress"):
        terminal.waits_for("read progress")
    assert "\x1b[36m" not in terminal.seen()


@pytest.mark.parametrize(("form", "term"), [("plain", "xterm"), ("json", "xterm"), ("auto", "dumb")])
def test_who_wants_lines_gets_lines_on_a_terminal_too(
    form: str, term: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    steps = Steps(form, terminal.stream)  # type: ignore[arg-type]
    with steps("read progress"):
        pass
    seen = terminal.seen()
    assert "\x1b" not in seen
    assert "read progress" in seen


def test_a_terminal_without_the_characters_is_not_drawn_on(terminal: Terminal) -> None:
    with os.fdopen(os.dup(terminal.stream.fileno()), "w", encoding="ascii") as stream:
        assert is_terminal(terminal.stream)
        assert not is_terminal(stream)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            100,
            " 9/11  write  ━━━━━━━━━━━━━━━━━━━━                30,000 of 50,000 rows  3,000 rows/s  0:00:07 left",
        ),
        (70, " 9/11  write  30,000 of 50,000 rows  3,000 rows/s  0:00:07 left"),
        (60, " 9/11  write  30,000 of 50,000 rows  0:00:07 left"),
        (40, " 9/11  write  30,000 of 50,000 rows"),
        (10, "write"),
        (4, "wr…"),
    ],
)
def test_a_narrow_terminal_shows_what_matters_most_of_a_phase(width: int, line: str) -> None:
    assert drawn(under_way(WRITING, width), width) == line


def test_before_the_first_rows_are_acknowledged_the_time_is_shown() -> None:
    started = replace(WRITING, done=0, usual=40.0)
    assert started.share == 0.25
    assert drawn(under_way(started, 50), 50) == " 9/11  write  0 of 50,000 rows  10 of about 40 s"


def test_a_phase_that_counts_no_rows_is_shown_by_the_time_that_it_took_before() -> None:
    assert READING.share == 0.25
    assert drawn(under_way(READING, 80), 80).endswith("5 of about 20 s  3 of 16 tasks")


def test_a_phase_that_has_ended_stands_in_columns_where_there_is_room() -> None:
    ended = Phase("read progress", 7, None, seconds=2.0, rows=26_685)
    wide = "    7  read progress                         2.0 s     26,685 rows   13,342 rows/s"
    assert drawn(summary(ended, 100), 100) == wide
    assert drawn(summary(ended, 80), 80) == "    7  read progress: 2.0 s, 26,685 rows"


def test_a_command_outlives_its_terminal(tmp_path: Path) -> None:
    screen, end = pty.openpty()
    os.close(screen)
    assert shown_settings(end, tmp_path) == (0, "")


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_command_needs_no_streams(tmp_path: Path, closed: str) -> None:
    """Who starts it may have closed them; the exit code is that of the command."""
    command = f"'{sys.executable}' '{ROOT}/jobs/config.py' show"
    for flag, code in (("", 0), ("--set a.b=1", 2)):
        assert subprocess.run(f"{command} {flag} {closed}", shell=True, cwd=tmp_path, check=False).returncode == code


def test_what_draws_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, jobs.runs, activity_aggregates.run.flow; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
