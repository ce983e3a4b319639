"""The command as a process of its own, and what it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.embedded.paths import CHECKOUT

# Options of a JVM that lives for one run, which is over before the best code has been compiled.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def command_line(command: str, *arguments: str | Path) -> list[str]:
    """`activity-aggregates` with its arguments, in the interpreter of the tests."""
    return [sys.executable, "-m", "jobs", command, *map(str, arguments)]


def shown_settings(stream: int, folder: Path) -> tuple[int, str]:
    """Exit code and errors of `config show` started in `folder`, which writes to a stream that is closed then."""
    command = [sys.executable, str(CHECKOUT / "jobs" / "config.py"), "show"]
    ended = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, cwd=folder, check=False)
    os.close(stream)
    return ended.returncode, ended.stderr


_EXECUTOR = b"CoarseGrainedExecutorBackend"


def executors(ancestor: int) -> list[int]:
    """The executor processes that a process has started, through its JVM."""
    below = set(descendants(ancestor))
    return sorted(pid for pid, line in _processes() if pid in below and _EXECUTOR in line and b"java" in line)


def descendants(ancestor: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    parents = {pid: parent for pid, _ in _processes() if (parent := _parent(pid)) is not None}
    found, newest = set[int](), {ancestor}
    while newest := {pid for pid, parent in parents.items() if parent in newest} - found:
        found |= newest
    return sorted(found)


def are_over(pids: Iterable[int]) -> bool:
    """Whether all of them have ended, those too that nobody has collected yet."""
    living = {pid for pid, line in _processes() if line}
    return living.isdisjoint(pids)


def _processes() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
