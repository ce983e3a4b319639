"""Cases that share a world: what many of them run is run once, for all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from activity_aggregates.store.targets import TARGET_TABLES
from tests.harness.case import Step
from tests.harness.environment import Environment, merged
from tests.harness.errors import Mismatch
from tests.harness.execution import compare, perform
from tests.harness.pooled import Pooled, Settings, read
from tests.harness.records import record_differences
from tests.harness.schedule import scheduled
from tests.harness.turns import Turn, added_up, united
from tests.harness.values import shown

_ALONE = {
    "date-beyond-range",  # it has all dates of a run read in another way
    "family-switched-on-beside-a-retired-course",  # another case sets other families at its end
    "first-row-beyond-the-calendar",  # other cases would have rows before it
    "incremental-follows-changes",  # it counts all that a run looks at, for whatever reason
    "metadata-names-activities",  # it counts all that is stored
    "refused-keys-are-counted-once",  # other cases have rows without keys as well
    "quiz-scores-of-an-activity",  # a run without scores takes the steps that learners reached from all rows of quizzes
}
# Lists that say what is computed besides: of a world it is what any of its cases asks for.
_UNITED = ("families", "carry", "course_types")


def worlds(files: Sequence[Path]) -> list[list[Path]]:
    """The files, those together that can share a world."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(_world(read(file)), []).append(file)
    return sorted(found.values(), key=len, reverse=True)


def _world(case: Pooled) -> str:
    """The same for cases that can share one: all settings that are more than a list of what is computed besides."""
    times = [turn.as_of for turn in case.turns]
    is_alone = any(
        "--set" in turn.words or (turn.step.kind == "run" and turn.step.content.get("exit")) for turn in case.turns
    )
    if is_alone or case.file.stem in _ALONE or any(later < earlier for earlier, later in pairwise(filter(None, times))):
        return case.file.name
    settings = {**case.settings, "metrics": dict(case.settings["metrics"])}
    for name in _UNITED:
        settings["metrics"].pop(name, None)
    return json.dumps([bool(any(times)), settings], sort_keys=True)


def _united(pool: Sequence[Pooled]) -> Settings:
    settings = pool[0].settings
    for case in pool:
        lists = {name: case.settings["metrics"].get(name, []) for name in _UNITED}
        both = {name: [*dict.fromkeys([*settings["metrics"].get(name, []), *own])] for name, own in lists.items()}
        settings = merged(settings, {"metrics": {name: entries for name, entries in both.items() if entries}})
    return settings


def execute_together(files: Sequence[Path], environment: Environment, folder: Path) -> None:
    """Raises Mismatch with all that does not hold of any of the cases, after the first command that shows it."""
    World([read(file).renamed(f"p{number}-") for number, file in enumerate(files)], environment, folder).execute()


class World:
    """Cases under ids of their own, each with a configuration file of its own, for one of them may change it."""

    def __init__(self, pool: Sequence[Pooled], environment: Environment, folder: Path) -> None:
        self.environment = environment
        conf = environment.configure(_united(pool), folder)
        self.confs = {case.file: Path(shutil.copy(conf, folder / f"{case.prefix}conf.yaml")) for case in pool}
        self.pool = pool

    def execute(self) -> None:
        left = [iter(case.turns) for case in self.pool]
        is_otherwise_set = False
        for numbers in scheduled([case.commands for case in self.pool]):
            taking = [(self.pool[number], next(left[number])) for number in sorted(numbers)]
            if not is_otherwise_set and taking[0][1].is_otherwise_set:
                _raise(self._at_the_end())
                is_otherwise_set = True
            _raise(self._together(taking))
        if not is_otherwise_set:
            _raise(self._at_the_end())

    def _together(self, taking: Sequence[tuple[Pooled, Turn]]) -> Iterator[str]:
        """One command, with what its cases do before it and look at after it."""
        for case, turn in taking:
            for step in turn.before:
                yield from case.said(step, self._performed(case, step))
        run = united([turn.step for _, turn in taking])
        yield from _of_all(taking, perform(run, self.environment, self.confs[taking[0][0].file]))
        expecting = [(case, turn) for case, turn in taking if [*turn.of_the_run()]]
        if wanted := added_up([dict(turn.of_the_run()) for _, turn in expecting]):
            yield from _of_all(expecting, record_differences(self.environment.ledger.latest(), wanted))
        for case, turn in taking:
            for step in turn.after:
                yield from case.said(step, self._performed(case, step))

    def _performed(self, case: Pooled, step: Step) -> list[str]:
        if step.kind == "expect_run":  # it is of all cases that have run it
            return []
        if step.kind not in ("expect", "expect_some"):
            return perform(step, self.environment, self.confs[case.file])
        store = self.environment.store
        known = {table: rows for table, rows in step.content.items() if case.knows(table)}
        return compare(known, store, lambda table: case.seen(table, store.stored(table)), step.kind == "expect_some")

    def _at_the_end(self) -> Iterator[str]:
        """What a case has last looked at is as it was, whatever the others have run since; each row is some case's."""
        for case in self.pool:
            for step in case.last_looks():
                yield from (f"at the end, {sentence}" for sentence in case.said(step, self._performed(case, step)))
        for table in TARGET_TABLES:
            rows = self.environment.store.stored(table.name)
            strange = [row for row in rows if not any(case.owns(row) for case in self.pool)]
            yield from (f"{table.name} has a row of none of the cases: {shown(row)}" for row in strange)


def _of_all(taking: Sequence[tuple[Pooled, Turn]], sentences: Sequence[str]) -> list[str]:
    steps = ", ".join(f"{case.file.name} step {turn.step.number}" for case, turn in taking)
    return [f"in one run for {steps}: {sentence}" for sentence in sentences]


def _raise(problems: Iterator[str]) -> None:
    if found := [*problems]:
        raise Mismatch("\n  ".join(["of cases that share a world:", *found]))
