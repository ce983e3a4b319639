"""The command as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

# Options of a JVM that lives for one run, which is over before the best code has been compiled.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def command_line(command: str, *arguments: str | Path) -> list[str]:
    """`activity-aggregates` with its arguments, in the interpreter of the tests."""
    return [sys.executable, "-m", "jobs", command, *map(str, arguments)]
