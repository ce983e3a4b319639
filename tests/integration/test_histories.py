"""Random histories on the real store: each command of each leaves what the model says, and no published sum is wrong.

`scripts/test histories --seeds N` runs N of them, `--first SEED --seeds 1` a failing one alone, and `--platform NUMBER`
one of its platforms. What is found names the platform: `w3-` stands before the ids of the fourth.
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.errors import Unreachable
from activity_aggregates.run import applying
from activity_aggregates.store.records import SUCCEEDED, RunRecord
from activity_aggregates.writing.apply import Applied, apply_changes
from tests.harness.environment import Environment
from tests.harness.execution import called
from tests.model import Tables, model, published_problems
from tests.model.tables import CATALOG, KEYS, CatalogKey
from tests.properties.histories import PLATFORMS, history
from tests.properties.operations import Operation, as_case, command
from tests.properties.watching import Ended, Watcher

SECONDS = 120  # for as many as they hold, where no number is given
QUARTERS = 4  # a killed run has written so many quarters of its rows as its operation says
PUBLISHED = ["verify", "--published"]
FINAL = [command(*PUBLISHED), command("run"), command(*PUBLISHED)]
SHOWN = 6
ALL_OF_THEM = "all platforms"
CRASHED, INTERRUPTED = -1, 130


def seeds() -> Iterator[int]:
    """As many as were asked for, or as two minutes hold."""
    first, number = int(os.environ.get("HISTORIES_FIRST", "1")), os.environ.get("HISTORIES")
    until = time.monotonic() + SECONDS
    for seed in range(first, first + int(number or 1000)):
        if number is None and time.monotonic() > until:
            return
        yield seed


def platforms() -> list[int]:
    named = os.environ.get("HISTORIES_PLATFORM")
    return [int(named)] if named else list(range(PLATFORMS))


def test_every_command_of_every_history_leaves_what_the_model_says(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for seed in seeds():
        began = time.monotonic()
        operations = [*history(seed, platforms()), *FINAL]
        problems = Replay(made, tmp_path, monkeypatch).problems(operations)
        print(f"history {seed}: {len(operations)} steps, {time.monotonic() - began:.0f} s, {len(problems)} problems")
        if problems:
            (tmp_path / f"history-{seed}.yaml").write_text(as_case(f"history {seed}", operations), "utf-8")
            found.append("\n  ".join([f"history {seed} (in {tmp_path}/history-{seed}.yaml):", *problems]))
            print(found[-1])
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@dataclass
class Replay:
    """One history on the tables of an environment."""

    made: Environment
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    watcher: Watcher = field(default_factory=Watcher)
    conf: Path = field(init=False)

    def problems(self, operations: list[Operation]) -> list[str]:
        """What is wrong, of each platform after the first command that leaves something wrong with it."""
        self.made.empty()
        self.conf = self.made.configure({}, self.folder)
        found: list[str] = []
        failed: set[str] = set()
        for number, operation in enumerate(operations, start=1):
            if not operation.is_command:
                self._happens(operation)
                continue
            by_platform = told_apart(self._called(operation))
            for platform in sorted({*by_platform} - failed):
                first, *more = by_platform[platform]
                found.append(f"{platform}, step {number}, {' '.join(operation.arguments)}: {first}")
                found += [f"  {problem}" for problem in more[:SHOWN]]
            failed |= {*by_platform}
            if ALL_OF_THEM in failed:
                break
        return found

    def _happens(self, operation: Operation) -> None:
        store = self.made.store
        if operation.kind == "settings":
            self.conf = self.made.configure({"metrics": operation.content["metrics"]}, self.folder)
            self.watcher.happens(operation)
            return
        change = {"load": store.load, "delete": store.delete, "write": store.merge}[operation.kind]
        for table, rows in operation.content.items():
            change(table, rows)
        self.watcher.happens(operation)

    def _called(self, operation: Operation) -> list[str]:
        before, known = stored_tables(self.made), self._records()
        code, output = self._run(operation)
        after = stored_tables(self.made)
        if operation.arguments == PUBLISHED:
            wrong = published_problems(after, self.watcher.settings)
            return [] if code == (1 if wrong else 0) else [f"it ended with {code}", *wrong, *output.splitlines()]
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        written = [record for run_id, record in self._records().items() if record != known.get(run_id)]
        problems = self.watcher.problems(operation, before, after, ended(code, written))
        if operation.arguments == ["run"] and code == 0 and not problems:
            problems = count_problems(written[-1], model(self.watcher.source, self.watcher.settings, before))
        is_of_all = any(told_apart(problems).get(ALL_OF_THEM, ()))
        return [*problems, *(output.splitlines()[-SHOWN:] if is_of_all else [])]

    def _run(self, operation: Operation) -> tuple[int, str]:
        for name, text in operation.files.items():
            (self.folder / name).write_text(text, "utf-8")
        arguments = [self._named(argument, operation) for argument in operation.arguments]
        with self.monkeypatch.context() as patched:
            if operation.killed_at is not None:
                patched.setattr(applying, "apply_changes", killed_after(operation.killed_at))
            try:
                return called(arguments, self.conf)
            except Exception:  # noqa: BLE001, a traceback is what a bug of the command looks like
                return CRASHED, "\n".join(traceback.format_exc().splitlines()[-SHOWN:])

    def _named(self, argument: str, operation: Operation) -> str:
        """Files by their paths, and the snapshot times of earlier runs."""
        if argument in operation.files:
            return str(self.folder / argument)
        latest = self.made.ledger.latest()
        last_as_of = latest.as_of if latest else None
        if argument in ("{last}", "{older}") and last_as_of is not None:
            return (last_as_of if argument == "{last}" else last_as_of.replace(year=last_as_of.year - 1)).isoformat()
        return argument

    def _records(self) -> dict[str, RunRecord]:
        return {record.run_id: record for record in self.made.ledger.recent(1000)}


def told_apart(problems: Iterable[str]) -> dict[str, list[str]]:
    """By the platform that a problem names; what names none is of all of them, and so is what a command said."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        platform = re.search(r"\bw\d+-", problem)
        found.setdefault(platform[0] if platform else ALL_OF_THEM, []).append(problem)
    return found


def stored_tables(made: Environment) -> Tables:
    rows: dict[str, Any] = {
        table: {key(*(row[column] for column in key._fields)): row["agg"] or {} for row in made.store.stored(table)}
        for table, key in KEYS.items()
        if table in {name for _, name in made.store.places()}
    }
    catalog = {
        CatalogKey(row["context_id"], row["activity_type"], row["activity_id"]): row["course_id"]
        for row in made.store.stored(CATALOG)
    }
    return Tables(**rows, activity_catalog=catalog)


def ended(code: int, written: list[RunRecord]) -> Ended:
    """By the records of the runs that a command was; several units of a backfill are one."""
    left = sum(
        count
        for record in written
        for name, count in record.counts.items()
        if name == "held" or name.startswith("newer.")
    )
    statuses = [record.status for record in written]
    return Ended(code, SUCCEEDED if SUCCEEDED in statuses else statuses[-1] if statuses else "nothing done", left)


def count_problems(record: RunRecord, wanted: Tables) -> list[str]:
    """Of a run over everything: what it has refused and counted is what the model has, as far as both have it."""
    return [
        f"{name}: expected {wanted.counts[name]}, found {count}"
        for name, count in sorted(record.counts.items())
        if (name.startswith("refused.") or name in wanted.counts) and count != wanted.counts[name]
    ]


def killed_after(quarters: int) -> Any:
    """Writing that breaks off when so many quarters of the rows are written, or before the last is acknowledged."""

    def apply(changes: DataFrame, *further: Any) -> Applied:
        key = F.hash("activity_type", "activity_id", "context_id", "user_id", "group_id")
        apply_changes(changes.filter(F.pmod(key, F.lit(QUARTERS)) < quarters), *further)
        raise Unreachable("the store was lost")

    return apply
