"""Peak memory and processor time of a run's processes, read from /proc while it runs. Linux only."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

EVERY_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

DRIVER, SPARK, WORKERS, SERVER = "Python driver", "Spark's JVM", "Python workers", "Cassandra"
_SPARK_CLASS = "org.apache.spark.deploy.SparkSubmit"
_SERVER_CLASS = "org.apache.cassandra.service.CassandraDaemon"


@dataclass
class Use:
    """What a kind of process used while it was watched."""

    peak_bytes: int = 0  # of memory that was resident, all processes of the kind together
    ticks_by_process: dict[int, tuple[int, int]] = field(default_factory=dict)  # at the first look, at the last one

    @property
    def cpu_seconds(self) -> float:
        return sum(last - first for first, last in self.ticks_by_process.values()) / _TICKS


@dataclass(frozen=True)
class _Process:
    """One process as it is now; resident memory in bytes."""

    pid: int
    parent: int
    ticks: int
    resident: int
    command: str


@contextmanager
def watched(root: int) -> Iterator[dict[str, Use]]:
    """The use, by kind, of a process and all it starts, and of Cassandra on this machine, until the block ends."""
    use = {kind: Use() for kind in (DRIVER, SPARK, WORKERS, SERVER)}
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(root, use, over), daemon=True)
    watcher.start()
    try:
        yield use
    finally:
        over.set()
        watcher.join()


def resident(root: int) -> int:
    """The bytes of memory that a process and all it has started have now."""
    return sum(each.resident for each in _below(root))


def cpu_seconds(root: int) -> float:
    """The processor time that a process and all it has started, and that still run, have used so far."""
    return sum(each.ticks for each in _below(root)) / _TICKS


def table(use: dict[str, Use]) -> str:
    lines = [f"{'process':32} {'cpu s':>9} {'peak MiB':>12}"]
    lines += [f"{kind:32} {of.cpu_seconds:9.1f} {of.peak_bytes / 2**20:12,.0f}" for kind, of in use.items()]
    return "\n".join(lines)


def _watch(root: int, use: dict[str, Use], over: threading.Event) -> None:
    while True:
        _look(root, use)
        if over.wait(EVERY_SECONDS):
            return


def _look(root: int, use: dict[str, Use]) -> None:
    processes = {process.pid: process for process in _running()}
    resident = dict.fromkeys(use, 0)
    for process in processes.values():
        kind = _kind(process, root, processes)
        if kind is None:
            continue
        resident[kind] += process.resident
        # A process that the run starts is seen from its beginning; one that ran before only from now on.
        before = process.ticks if kind == SERVER else 0
        first, _ = use[kind].ticks_by_process.get(process.pid, (before, 0))
        use[kind].ticks_by_process[process.pid] = (first, process.ticks)
    for kind, size in resident.items():
        use[kind].peak_bytes = max(use[kind].peak_bytes, size)


def _kind(process: _Process, root: int, processes: dict[int, _Process]) -> str | None:
    if _SERVER_CLASS in process.command:
        return SERVER
    if not _descends(process, root, processes):
        return None
    if "pyspark.daemon" in process.command:
        return WORKERS
    return SPARK if _SPARK_CLASS in process.command and "java" in process.command.partition(" ")[0] else DRIVER


def _below(root: int) -> Iterator[_Process]:
    processes = {process.pid: process for process in _running()}
    return (each for each in processes.values() if _descends(each, root, processes))


def _descends(process: _Process, root: int, processes: dict[int, _Process]) -> bool:
    """Whether the root or one that it has started, itself or through others, started the process."""
    at: _Process | None = process
    while at is not None:
        if at.pid == root:
            return True
        at = processes.get(at.parent)
    return False


def _running() -> Iterator[_Process]:
    """Every process of this machine."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:  # it has ended
            continue
        # Counted from the third field of proc(5): 4 parent, 14 and 15 processor time, 24 resident pages.
        parent, user, system, pages = int(fields[1]), int(fields[11]), int(fields[12]), int(fields[21])
        yield _Process(int(folder.name), parent, user + system, pages * _PAGE, command)
