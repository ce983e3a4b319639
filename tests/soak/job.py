"""One run of the command as a process of its own, with all that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.harness.processes import command_line, descendants


class Job:
    """A command that is under way; `said` are its lines so far."""

    def __init__(self, *arguments: str | Path) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(
            command_line(str(arguments[0]), *arguments[1:]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())}, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def has_said(self, beginning: str) -> bool:
        return any(line.startswith(beginning) for line in self.said)

    def reach(self, moment: Callable[[Job], bool]) -> bool:
        """Wait for a moment; false where the run is over without it."""
        while not moment(self):
            if self.is_over:
                return False
            time.sleep(0.05)
        return True

    def signal(self, number: signal.Signals) -> None:
        """To the process and to everything that it has started, Spark's JVM and its workers."""
        for pid in [self.pid, *descendants(self.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def interrupt(self) -> None:
        """As Ctrl-C in a terminal does it: to the group of the command, of which Spark's workers are none."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """The driver alone, as the kernel does when memory is short; what it has started has to see that."""
        self._process.kill()

    def end(self, seconds: float) -> int | None:
        """Its exit code; None where it goes on for longer, and then it is killed."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return None
        self._reader.join(10)
        return code

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.said.append(line.rstrip("\n"))
