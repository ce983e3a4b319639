"""Plays every fault on a real cluster of three nodes, again and again, and tells what came of it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from activity_aggregates.store.ledger import SUCCEEDED
from activity_aggregates.store.targets import TARGET_TABLES
from tests.harness.execution import called
from tests.soak.faults import FAULTS, Fault, Scene, small_disk
from tests.soak.job import Job
from tests.soak.ring import Ring
from tests.soak.world import AS_OF, World, connected, make

_SKEWED = 3  # the node whose clock may be ahead
_FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
_STAGING_MIB, _NODE_MIB = 64, 512
_LAST_LINES = 15


@dataclass
class Outcome:
    """Of all tries of one fault."""

    codes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    chosen = [fault for fault in FAULTS if not arguments.only or any(words in fault.name for words in arguments.only)]
    if not chosen:
        print(
            f"no fault has {' or '.join(arguments.only)} in its name; there are:", *(f.name for f in FAULTS), sep="\n  "
        )
        return 2
    outcomes = {fault.name: Outcome() for fault in chosen}
    with ExitStack() as opened:
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        ring, world, wanted = _begin(opened, folder, arguments.learners, _clocks(arguments.ahead))
        for number in range(arguments.tries):
            for fault in chosen:
                _try(fault, outcomes[fault.name], ring, world, wanted)
                last = outcomes[fault.name]
                print(f"{number + 1}. {fault.name}: {last.seconds[-1]:.0f} s, {dict(last.codes)}", flush=True)
    return _tell(outcomes)


def _begin(
    opened: ExitStack, folder: Path, learners: int, clocks: dict[int, dict[str, str]]
) -> tuple[Ring, World, dict[str, str]]:
    """The ring, the world and what an undisturbed run leaves."""
    for place, size in (("world/runs", _STAGING_MIB), ("ring/node2", _NODE_MIB)):
        opened.enter_context(small_disk(folder / place, size))
    ring = opened.enter_context(Ring(folder / "ring", clocks))
    session = connected(ring.state)
    opened.callback(session.cluster.shutdown)
    world = make(session, ring.state, folder / "world", learners)
    code, said = called(["run", "--as-of", AS_OF], world.conf)
    assert code == 0, said
    return ring, world, world.digests()


def _clocks(ahead: int) -> dict[int, dict[str, str]]:
    """Variables by which the clock of one node is so many seconds ahead; such a node is several times slower."""
    if not ahead:
        return {}
    library = next(filter(os.path.exists, _FAKETIME), None)
    if library is None:
        raise SystemExit(
            "--ahead needs libfaketime (Debian: apt-get install faketime): install it, or leave --ahead out"
        )
    return {_SKEWED: {"LD_PRELOAD": library, "FAKETIME": f"+{ahead}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}}


def _try(fault: Fault, outcome: Outcome, ring: Ring, world: World, wanted: dict[str, str]) -> None:
    began = time.monotonic()
    world.empty()
    job = Job("run", "--conf", world.conf, "--as-of", AS_OF, *fault.flags)
    scene = Scene(ring, world, job)
    problems = []
    if job.reach(lambda under_way: fault.moment(world, under_way)):
        fault.strike(scene)
    else:
        problems.append("the run was over before it could be disturbed: have it more --learners")
    code = job.end(fault.seconds)
    fault.heal(scene)
    outcome.codes["none" if code is None else str(code)] += 1
    if code not in fault.codes:
        problems.append(f"the run ended with {code}, not with one of {fault.codes}")
    if any("Traceback" in line for line in job.said):
        problems.append("the run ended with a traceback")
    problems += [] if code == 0 else _finished(world)
    problems += _differences(world, wanted)
    outcome.seconds.append(time.monotonic() - began)
    if problems:
        outcome.problems.append("\n    ".join([*problems, "the run said:", *job.said[-_LAST_LINES:]]))
        print("   ", outcome.problems[-1], flush=True)


def _finished(world: World) -> list[str]:
    """What an operator does: resume what can be resumed, and run again."""
    found = []
    for arguments in (["run", "--resume", "last"], ["run", "--as-of", AS_OF, "--wait", "60"]):
        code, said = called(arguments, world.conf)
        if code != 0:
            found += [f"afterwards `{' '.join(arguments)}` ended with {code}:", *said.splitlines()[-_LAST_LINES:]]
    return found


def _differences(world: World, wanted: dict[str, str]) -> list[str]:
    found = []
    for arguments in (["verify"], ["verify", "--published"]):
        code, said = called(arguments, world.conf)
        if code != 0:
            found += [f"`{' '.join(arguments)}` ended with {code}:", *said.splitlines()[-_LAST_LINES:]]
    digests = world.digests()
    found += [f"{table}: {digests[table]}, not {wanted[table]}" for table in wanted if digests[table] != wanted[table]]
    for run in world.ledger.recent(20):
        counts = run.counts
        if run.status == SUCCEEDED and run.command == "run":
            found += [
                f"run {run.run_id} says that {counts.get(f'changed.{table.name}')} rows of {table.name} have changed "
                f"and {counts.get(f'written.{table.name}')} were written"
                for table in TARGET_TABLES
                if counts.get(f"changed.{table.name}", 0) != counts.get(f"written.{table.name}", 0)
            ]
    return found


def _tell(outcomes: dict[str, Outcome]) -> int:
    print("\n| fault | tries | right | exit codes | seconds, longest |\n|---|---|---|---|---|")
    for name, outcome in outcomes.items():
        tries = len(outcome.seconds)
        codes = ", ".join(f"{code} ({number} times)" for code, number in sorted(outcome.codes.items()))
        print(f"| {name} | {tries} | {tries - len(outcome.problems)} | {codes} | {max(outcome.seconds):.0f} |")
    failed = sum(len(outcome.problems) for outcome in outcomes.values())
    passed = sum(len(outcome.seconds) for outcome in outcomes.values()) - failed
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/test soak", description=__doc__, allow_abbrev=False)
    parser.add_argument("--tries", type=int, default=1, metavar="N", help="of each fault (%(default)s)")
    parser.add_argument("--learners", type=int, default=20_000, metavar="N", help="enrolled (%(default)s)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORDS", help="faults with these words in their names"
    )
    parser.add_argument("--ahead", type=int, default=0, metavar="SECONDS", help="of the clock of one node")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
