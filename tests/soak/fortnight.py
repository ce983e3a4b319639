"""A fortnight of a platform, hour by hour: what the tables hold after it, and whether anything grows that should not.

Every hour something happens and an incremental run follows, every night a full one; now and then learners are erased,
contexts are backfilled and the run is killed. In the middle everything is started anew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cassandra import OperationTimedOut
from cassandra.cluster import NoHostAvailable, Session

from activity_aggregates.store.targets import ACTIVITY_CATALOG, TARGET_TABLES, TargetTable
from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.declarations import FAMILIES
from scripts.embedded import instance
from scripts.embedded.ports import free_ports
from tests.harness.api import GROUP, Api, api_settings, key_pair, served
from tests.harness.environment import TEST_SETTINGS, Environment, environment
from tests.harness.processes import descendants
from tests.harness.session import OF_SMALL_QUERIES
from tests.harness.waiting import wait_until
from tests.model import Metrics
from tests.model.tables import own_entries
from tests.properties.histories import called
from tests.properties.operations import Operation, command
from tests.properties.platforms import Platform
from tests.properties.replay import PUBLISHED, SHOWN, Replay
from tests.properties.watching import UNREACHABLE, key_of, settings_of
from tests.soak.world import connected

OF_CONTEXTS = [table for table in TARGET_TABLES if "group_id" not in table.key]
HOURS = 24
PLATFORMS = 12
CHANGES = 0.4  # how many of the platforms change within an hour
LEASE_SECONDS = TEST_SETTINGS["lease"]["ttl"]  # as long as the lease of a killed run stands in the way
DATES = ("agg_last_updated",)  # when each entry changed: a fresh run has none but its own
SECRET = "a secret of a fortnight"
DAILY = ("backfill", "users", "contexts", "groups", "changed", "repair", "dry", "erase")
METRICS = {
    "families": list(FAMILIES),
    "completion": "current",  # what was earned once would differ from what a full run into empty tables finds
    "scores_in_course": True, "course_types": ["Course"], "time_zone": "UTC", "carry": [],
}  # fmt: skip
SETTINGS = {"spark": {"master": "local[2]", "conf": OF_SMALL_QUERIES}}
# By how much the last quarter may exceed the one before: both of memory end a stretch of the same length after a start.
MORE_MEMORY, MORE_FILES = 1.15, 1.1


class Commands:
    """A process that one command after the other is run in; a killed one is followed by another."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._said = folder / "said.txt"
        self._chance = chance
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def call(self, arguments: list[str], conf: Path, killed_at: int | None) -> tuple[int, str]:
        """Exit code and what was said. Where it is to be killed it is, some seconds after it began, unless it ended."""
        process, said = self._running(), self._said.stat().st_size
        killer = threading.Timer(self._chance.uniform(0.5, 6.0), process.kill)
        if killed_at is not None:
            killer.start()
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{json.dumps([*arguments, '--conf', str(conf)])}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        killer.cancel()
        if not answer:
            self.end()
            time.sleep(LEASE_SECONDS + 1)
        code = json.loads(answer)["code"] if answer else UNREACHABLE
        return code, self._said.read_bytes()[said:].decode(errors="replace")

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.successive"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said.open("a"), text=True,
            )  # fmt: skip
        return self._process


@dataclass
class Usage:
    """Of one kind of process: MiB of memory, and how many files and connections are open, hour by hour."""

    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self, pids: Sequence[int]) -> None:
        self.memory.append(sum(map(_resident_mib, pids)))
        self.files.append(sum(map(_open_files, pids)))

    def growth(self) -> tuple[float, float]:
        """Of memory the last quarter by the second one, of files by the third.

        Memory fills after a start. A store that was started anew has open what the one before it had in its memory.
        """
        return _growth(self.memory, 1), _growth(self.files, 2)


def _growth(values: Sequence[float], since: int) -> float:
    quarter = len(values) // 4
    return statistics.median(values[-quarter:]) / statistics.median(values[since * quarter : (since + 1) * quarter])


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0  # a worker that has just ended


def _open_files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


class Fortnight:
    """The platforms, the commands, and what is looked at beside them."""

    def __init__(self, seed: int, days: int, folder: Path, port: int) -> None:
        self.chance = random.Random(f"fortnight {seed}")
        self.days, self.folder, self.port = days, folder, port
        self.name = f"fortnight-{os.getpid()}"
        self.usage = {kind: Usage() for kind in ("the store", "the API", "commands")}
        self.problems: list[str] = []
        self.platforms = [Platform(f"w{n}-", random.Random(f"fortnight {seed} {n}")) for n in range(PLATFORMS)]
        self._keys = key_pair()
        self._ran: dict[str, int] = {}

    def play(self) -> None:
        """All of it; what was wrong is in `problems`."""
        with ExitStack() as opened:
            opened.callback(self._remove_store)
            self._start_store()
            state = instance.running(self.name)
            os.environ |= {**state.variables, "ERASED_SECRET": SECRET}
            session = connected(state)
            opened.callback(session.cluster.shutdown)
            made = opened.enter_context(environment(session, self.folder))
            commands = Commands(self.folder, self.chance)
            opened.callback(commands.end)
            replay = Replay(made, self.folder, commands.call, SETTINGS)
            replay.begin()
            replay.happens(Operation("settings", {"metrics": METRICS}))
            for happened in (operation for platform in self.platforms for operation in platform.begin()):
                replay.happens(happened)
            middle = self.days // 2
            for days in (range(middle), range(middle, self.days)):
                with served(self._api_settings(replay), self._keys) as api:
                    for day in days:
                        self._live_through(day, replay, commands, api)
                commands.end()
                self._stop_store()
                self._start_store()
                wait_until(partial(_answers, session), "the session does not find the store again")
            self._compare_with_one_run(made, replay)

    def _live_through(self, day: int, replay: Replay, commands: Commands, api: Api) -> None:
        at_hour = dict(zip(self.chance.sample(range(3, HOURS), 2), self.chance.choices(DAILY, k=2), strict=True))
        dies_at = self.chance.choice([hour for hour in range(3, HOURS) if hour not in at_hour])
        for hour in range(HOURS):
            for platform in self.platforms:
                for happened in platform.go_on() if platform.chance.random() < CHANGES else []:
                    replay.happens(happened)
            killed = 0 if hour == dies_at else None
            self._run(replay, command("run", *(() if hour == 2 else ("--incremental",)), killed=killed))
            for operation in called(at_hour[hour], None, self.platforms) if hour in at_hour else ():
                self._run(replay, operation)
            if hour in (2, HOURS - 1):
                self._run(replay, command(*PUBLISHED))
            self._ask(api)
            self._look(commands, api)
        seen = (f"{kind} {usage.memory[-1]:.0f} MiB, {usage.files[-1]} files" for kind, usage in self.usage.items())
        ran = sum(self._ran.values())
        print(f"day {day + 1}: {ran} commands, {len(self.problems)} problems; {'; '.join(seen)}", flush=True)

    def _run(self, replay: Replay, operation: Operation) -> None:
        kind = " ".join(word for word in operation.arguments[:2] if not word.endswith((".csv", ".yaml", ".txt")))
        self._ran[kind] = self._ran.get(kind, 0) + 1
        for problem in replay.called(operation)[:SHOWN]:
            self.problems.append(f"{' '.join(operation.arguments)}: {problem}")
            print("   ", self.problems[-1], flush=True)

    def _ask(self, api: Api) -> None:
        platform = self.chance.choice(self.platforms)
        answer = api.ask_as_service(GROUP, groupId=self.chance.choice(platform.groups))
        if answer.status_code not in (200, 404):
            self.problems.append(f"the API answered {answer.status_code}: {answer.text}")

    def _look(self, commands: Commands, api: Api) -> None:
        processes = {
            "the store": instance.living(instance.running(self.name)),
            "the API": [api.process.pid, *descendants(api.process.pid)],
            "commands": [commands.pid, *descendants(commands.pid)] if commands.pid else [],
        }
        for kind, pids in processes.items():
            self.usage[kind].look(pids)

    def _compare_with_one_run(self, made: Environment, replay: Replay) -> None:
        """Each row that one full run leaves in empty tables is there; others are of courses that it cannot compute.

        Rows stay of courses that are refused or retired by now, and of batches that everybody has left. Those of groups
        follow from them, too: what they are is known by the model alone, which has watched all of the commands.
        """
        for operation in (command("run"), command("verify"), command(*PUBLISHED)):
            self._run(replay, operation)
        left = {table: _rows(made, table) for table in OF_CONTEXTS}
        for table in TARGET_TABLES:
            made.session.execute(f"TRUNCATE {made.targets}.{table.name}")
        self._run(replay, command("run"))
        fresh = {table: _rows(made, table) for table in OF_CONTEXTS}
        known = {*map(_place, fresh[ACTIVITY_CATALOG].values())}
        for table, rows in fresh.items():
            differing = [key for key, row in rows.items() if left[table].get(key) != row]
            beside = [key for key, row in left[table].items() if key not in rows and _place(row) in known]
            self.problems += [f"{table.name} lacks a row of one full run: {key}" for key in differing[:SHOWN]]
            self.problems += [f"{table.name} has a row beside one full run: {key}" for key in beside[:SHOWN]]
            print(f"{table.name}: {len(rows)} rows after one full run, {len(left[table]) - len(rows)} stay besides")

    def _api_settings(self, replay: Replay) -> Path:
        settings = {"metrics": METRICS, "api": api_settings(self.folder, self._keys)}
        folder = self.folder / "api"
        folder.mkdir(exist_ok=True)
        return replay.made.configure(settings, folder)

    def _start_store(self) -> None:
        self._cassandra("start", "--port", str(self.port))

    def _stop_store(self) -> None:
        self._cassandra("stop")

    def _remove_store(self) -> None:
        self._stop_store()
        shutil.rmtree(instance.folder(self.name), ignore_errors=True)

    def _cassandra(self, action: str, *arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "scripts.embedded", action, "--name", self.name, *arguments], check=True)

    def tell(self) -> int:
        """What ran, what it took, and what was wrong, as a table."""
        print("\n| command | how often |\n|---|---|")
        for kind, number in sorted(self._ran.items()):
            print(f"| {kind} | {number} |")
        print("\n| process | memory, last quarter by the second | open files, by the third |\n|---|---|---|")
        for kind, usage in self.usage.items():
            memory, files = usage.growth()
            print(f"| {kind} | {memory:.2f} | {files:.2f} |")
            if memory > MORE_MEMORY or files > MORE_FILES:
                self.problems.append(f"{kind} grows: memory by {memory:.2f}, open files by {files:.2f}")
        print(*self.problems, sep="\n")
        print(f"{'failed' if self.problems else 'passed'}: {self.days} days, {len(self.problems)} problems")
        return 1 if self.problems else 0


def _rows(made: Environment, table: TargetTable) -> dict[tuple[object, ...], dict[str, object]]:
    """The rows of a table by their keys, without the dates of entries and without what another writer has put there."""
    rows = ({**row, **_own(table, row)} for row in made.store.stored(table.name))
    kept = [{name: value for name, value in row.items() if name not in DATES} for row in rows if row.get("agg") != {}]
    return {tuple(row[name] for name in table.key): row for row in kept}


def _own(table: TargetTable, row: dict[str, Any]) -> dict[str, Metrics]:
    """The entries of the job in a row of metrics."""
    if "agg" not in row:
        return {}
    return {"agg": own_entries(table.name, key_of(table.name, row), row["agg"] or {}, settings_of(METRICS))}


def _place(row: Mapping[str, object]) -> tuple[object, ...]:
    """The activity in its context; of what is described without one the activity."""
    return tuple(row.get(name) for name in ACTIVITY_IN_CONTEXT)


def _answers(session: Session) -> bool:
    try:
        return session.execute("SELECT key FROM system.local").one() is not None
    except (NoHostAvailable, OperationTimedOut):
        return False


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/test fortnight", description=__doc__, allow_abbrev=False)
    parser.add_argument("--days", type=int, default=14, metavar="N", help="two at the least (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is drawn (%(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.days < 2:
        parser.error(f"--days {arguments.days} has no middle: give 2 or more")
    folder = Path(tempfile.mkdtemp(prefix="fortnight-"))
    try:
        fortnight = Fortnight(arguments.seed, arguments.days, folder, free_ports(1, ["127.0.0.1"])[0])
        fortnight.play()
        return fortnight.tell()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
