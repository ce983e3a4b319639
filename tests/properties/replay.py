"""Plays operations on the real store, and says what each command leaves that the model would not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activity_aggregates.store.records import SUCCEEDED, RunRecord
from tests.harness.environment import Environment
from tests.model import Source, Tables, described, model, published_problems
from tests.model.tables import CATALOG, KEYS, CatalogKey
from tests.properties.operations import Operation
from tests.properties.watching import Ended, Watcher

METADATA = "activity_metadata"
PUBLISHED = ["verify", "--published"]
SHOWN = 6
ALL_OF_THEM = "all platforms"
INTERRUPTED = 130

# Calls a command by its arguments and settings, and kills it where the last says so: its exit code, and what it said.
Call = Callable[[list[str], Path, int | None], tuple[int, str]]


@dataclass
class Replay:
    """One history on the tables of an environment."""

    made: Environment
    folder: Path
    call: Call
    settings: Mapping[str, Any] = field(default_factory=dict)  # of every command, beside those of metrics
    watcher: Watcher = field(default_factory=Watcher)
    conf: Path = field(init=False)

    def begin(self) -> None:
        self.made.empty()
        self.conf = self.made.configure(self.settings, self.folder)

    def problems(self, operations: list[Operation]) -> list[str]:
        """What is wrong, of each platform after the first command that leaves something wrong with it."""
        self.begin()
        found: list[str] = []
        failed: set[str] = set()
        for number, operation in enumerate(operations, start=1):
            if not operation.is_command:
                self.happens(operation)
                continue
            by_platform = told_apart(self.called(operation))
            for platform in sorted({*by_platform} - failed):
                first, *more = by_platform[platform]
                found.append(f"{platform}, step {number}, {' '.join(operation.arguments)}: {first}")
                found += [f"  {problem}" for problem in more[:SHOWN]]
            failed |= {*by_platform}
            if ALL_OF_THEM in failed:
                break
        return found

    def happens(self, operation: Operation) -> None:
        """Rows are loaded, deleted or written by others, or the settings change."""
        store = self.made.store
        if operation.kind == "settings":
            self.conf = self.made.configure({**self.settings, "metrics": operation.content["metrics"]}, self.folder)
            self.watcher.happens(operation)
            return
        change = {"load": store.load, "delete": store.delete, "write": store.merge}[operation.kind]
        for table, rows in operation.content.items():
            change(table, rows)
        self.watcher.happens(operation)

    def called(self, operation: Operation) -> list[str]:
        """Run a command, and say what is wrong with what it leaves."""
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
        if self.watcher.has_seen_all and not problems:
            problems = description_problems(self.made, self.watcher.source, after)
        if operation.arguments == ["run"] and code == 0 and not problems:
            problems = count_problems(written[-1], model(self.watcher.source, self.watcher.settings, before))
        is_of_all = any(told_apart(problems).get(ALL_OF_THEM, ()))
        return [*problems, *(output.splitlines()[-SHOWN:] if is_of_all else [])]

    def _run(self, operation: Operation) -> tuple[int, str]:
        for name, text in operation.files.items():
            (self.folder / name).write_text(text, "utf-8")
        arguments = [self._named(argument, operation) for argument in operation.arguments]
        return self.call(arguments, self.conf, operation.killed_at)

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


def description_problems(made: Environment, source: Source, after: Tables) -> list[str]:
    """What is not described as the smallest course has it that the catalog knows of."""
    texts = {(row["activity_type"], row["activity_id"]): row["metadata"] for row in made.store.stored(METADATA)}
    return [
        f"{METADATA} {' '.join(key)}: {name} is {texts.get(key, {}).get(name)}, not {text}"
        for key, wanted in described(source.hierarchies, after.activity_catalog).items()
        for name, text in wanted.items()
        if texts.get(key, {}).get(name) != text
    ]


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
