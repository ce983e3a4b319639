"""Whether this machine has the memory for an instance: a node that is killed half way leaves no sentence behind."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.embedded.errors import SetupError

MIB = 2**20
OUTSIDE_HEAP = 350  # MiB of one node: its code, threads and buffers


def check(nodes: int, heap: int) -> None:
    """Refuse to start what will not fit; where the system does not tell, hope."""
    needed, free = nodes * (heap + OUTSIDE_HEAP), _available()
    if free is not None and free < needed:
        raise SetupError(
            f"{nodes} Cassandra node(s) with a heap of {heap} MiB need about {needed} MiB of memory and {free} MiB are "
            "free: end something, or give a smaller --heap."
        )


def _available() -> int | None:
    """MiB that the system, and the container around it, still grant."""
    answers = [answer for answer in (_of_system(), _of_container()) if answer is not None]
    return min(answers, default=None)


def _of_system() -> int | None:
    report = _read("/proc/meminfo")
    line = re.search(r"MemAvailable:\s+(\d+) kB", report)
    return int(line[1]) // 1024 if line else None


def _of_container() -> int | None:
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    cached = re.search(r"inactive_file (\d+)", _read("/sys/fs/cgroup/memory.stat"))
    if not (limit.isdigit() and used.isdigit()):
        return None
    return (int(limit) - int(used) + (int(cached[1]) if cached else 0)) // MIB


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
