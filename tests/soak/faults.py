"""What is done to a cluster, or to a run, while the run is under way, and how the run may end then."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.harness.processes import executors
from tests.soak.job import Job
from tests.soak.ring import Ring
from tests.soak.world import AS_OF, TTL, World

DONE, INTERRUPTED, KILLED, LOST = 0, 130, -signal.SIGKILL, 3
Moment = Callable[[World, Job], bool]
_HELD_SECONDS = 20
_LITTLE = 2  # seconds into the writing


@dataclass(frozen=True)
class Scene:
    """The cluster, the learners and the run that is under way."""

    ring: Ring
    world: World
    job: Job


def after(phase: str) -> Moment:
    """When a phase has ended, and so while the next one is under way."""
    return lambda _, job: job.has_said(f"{phase}:")


def writing(world: World, _: Job) -> bool:
    """While rows arrive."""
    if not world.is_writing():
        return False
    time.sleep(_LITTLE)
    return True


@dataclass(frozen=True)
class Fault:
    """`strike` is done at the moment, `heal` when the run is over; it may end with one of `codes`."""

    name: str
    moment: Moment
    strike: Callable[[Scene], None]
    heal: Callable[[Scene], None] = lambda scene: None
    codes: tuple[int, ...] = (DONE,)
    flags: tuple[str, ...] = ()
    seconds: float = 300  # within which the run has to end


def _kill_node(scene: Scene) -> None:
    scene.ring.kill(2)


def _kill_two(scene: Scene) -> None:
    scene.ring.kill(2)
    scene.ring.kill(3)


def _restart(*numbers: int) -> Callable[[Scene], None]:
    def restart(scene: Scene) -> None:
        for number in numbers:
            scene.ring.restart(number)
        scene.ring.wait()

    return restart


def _kill_and_restart(scene: Scene) -> None:
    scene.ring.kill(2)
    scene.ring.restart(2)


def _hold_node(scene: Scene) -> None:
    scene.ring.hold(3)
    time.sleep(_HELD_SECONDS)
    scene.ring.release(3)


def _replace(scene: Scene) -> None:
    scene.ring.kill(2)
    scene.ring.replace(2, 4)


def _join(scene: Scene) -> None:
    scene.ring.add(5)


def _wait(scene: Scene) -> None:
    scene.ring.wait()


def _change_schema(scene: Scene) -> None:
    scene.world.change_schema(time.monotonic_ns())


def _kill_driver(scene: Scene) -> None:
    scene.job.kill()


def _interrupt_driver(scene: Scene) -> None:
    scene.job.interrupt()


def _run_a_second(scene: Scene) -> None:
    """Beside it: one of the two does the work, the other gives way."""
    second = Job("run", "--conf", scene.world.conf, "--as-of", AS_OF)
    code = second.end(300)
    assert code == DONE, "\n".join(second.said)


def _hold_beyond_its_lease(scene: Scene) -> None:
    """Another run takes over meanwhile and does all of it; then the held one goes on."""
    scene.job.signal(signal.SIGSTOP)
    time.sleep(TTL)
    other = Job("run", "--conf", scene.world.conf, "--as-of", AS_OF, "--wait", "60")
    code = other.end(300)
    scene.job.signal(signal.SIGCONT)
    assert code == DONE, "\n".join(other.said)


def _kill_executors(scene: Scene) -> None:
    """One after the other, each when the one before has been replaced."""
    for _ in range(2):
        found = executors(scene.job.pid)
        if found:
            with suppress(ProcessLookupError):
                os.kill(found[0], signal.SIGKILL)
        time.sleep(5)


def _fill(folder: Callable[[Scene], Path]) -> Callable[[Scene], None]:
    """Take all that is left of the file system that a folder lies on, which is one of its own."""

    def fill(scene: Scene) -> None:
        place = folder(scene)
        free = shutil.disk_usage(place).free
        with (place / "ballast").open("wb") as ballast:
            try:
                for _ in range(free // 65_536 + 1):
                    ballast.write(b"\0" * 65_536)
                ballast.flush()
            except OSError:
                pass

    return fill


def _empty(folder: Callable[[Scene], Path], then: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def empty(scene: Scene) -> None:
        (folder(scene) / "ballast").unlink(missing_ok=True)
        then(scene)

    return empty


def _staging(scene: Scene) -> Path:
    return scene.world.folder / "runs"


def _second_node(scene: Scene) -> Path:
    return scene.ring.data(2)


READ, COMPARED = after("read enrolments"), after("find owners")
_CLUSTER = (
    "--set", "spark.master=local-cluster[2,1,1024]", "--set", "spark.conf={spark.executor.memory: 768m}",
    "--set", "staging.shared=true",
)  # fmt: skip

FAULTS = (
    Fault("a node is killed while a run reads, and comes back", READ, _kill_and_restart, _wait),
    Fault("a node is killed while a run writes, and comes back", writing, _kill_and_restart, _wait),
    Fault("a node is killed while a run writes, and stays away", writing, _kill_node, _restart(2)),
    Fault("a node stands still for 20 s while a run reads", READ, _hold_node, _wait),
    Fault("a node stands still for 20 s while a run writes", writing, _hold_node, _wait),
    Fault("two nodes are killed while a run reads", READ, _kill_two, _restart(2, 3), (LOST,)),
    Fault("two nodes are killed while a run writes", writing, _kill_two, _restart(2, 3), (LOST,)),
    Fault("the schema is changed while a run reads", READ, _change_schema),
    Fault("the schema is changed while a run writes", writing, _change_schema),
    Fault("the driver is killed while a run reads", READ, _kill_driver, codes=(KILLED,)),
    Fault("the driver is killed while a run compares", COMPARED, _kill_driver, codes=(KILLED,)),
    Fault("the driver is killed while a run writes", writing, _kill_driver, codes=(KILLED,)),
    Fault("a run is interrupted while it writes", writing, _interrupt_driver, codes=(INTERRUPTED,)),
    Fault("two full runs at once", READ, _run_a_second),
    Fault("a run is held for longer than its lease", writing, _hold_beyond_its_lease, codes=(DONE, LOST)),
    Fault("executors are killed while a run compares", COMPARED, _kill_executors, flags=_CLUSTER),
    Fault("executors are killed while a run writes", writing, _kill_executors, codes=(DONE, LOST), flags=_CLUSTER),
    Fault("the disk for staged rows is full", READ, _fill(_staging), _empty(_staging, _wait), (LOST,)),
    Fault("the disk of a node is full", writing, _fill(_second_node), _empty(_second_node, _restart(2))),
    # These change the ring for good, and come last.
    Fault("a node joins while a run writes", writing, _join, _wait),
    Fault("a node is replaced while a run writes", writing, _replace, _wait),
)


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A file system of its own in memory, which can be full; needs the rights of root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
