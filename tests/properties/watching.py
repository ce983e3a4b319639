"""Follows a history and says, after each command, what is wrong with the tables that it has left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from tests.model import Settings, Source, Tables, published_problems, without
from tests.model.deployed import Deployed
from tests.model.tables import KEYS, own_entries
from tests.properties.checks import (
    Pair,
    accepted,
    erased_problems,
    foreign_problems,
    frozen_problems,
    group_problems,
    pair_problems,
    requirement_problems,
    unchanged,
    whole_problems,
    without_courses,
)
from tests.properties.operations import Operation

OF_LEARNERS = {"--user", "--users-file", "--changed"}
UNREACHABLE = 3
REFUSED = 2


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what the ledger says: its status, and how many entries it left to later writers."""

    code: int
    status: str = "succeeded"
    left: int = 0


@dataclass(frozen=True)
class Reach:
    """What a command was to look at: everything, or these pairs and whole contexts, as the sources are now or not."""

    is_everything: bool = False
    pairs: frozenset[Pair] = frozenset()
    whole: frozenset[str] = frozenset()
    is_of_now: bool = True


class Watcher:
    """What has happened so far, as far as it decides what a command has to leave.

    `has_base`: a full run has succeeded, and what it counted by has not changed since. `is_sound`: nothing but runs
    has touched the job's entries since.
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.has_base = self.is_sound = False
        self._dead = 0  # runs that were killed, and whose rows none has put right since
        self._platform = Deployed()
        self.erased: set[str] = set()
        self._touched: set[Pair] = set()  # since the last run that looks for changes
        self._published: set[str] = set()  # courses, since then
        self._is_more_to_see = True  # for full runs alone
        self._may_be_stale = False  # rows of unsettled courses: those of others' making, and of other settings, stay
        self._stale: set[str] = set()  # the courses whose rows may be so

    @property
    def is_half_written(self) -> bool:
        return self._dead > 0

    @property
    def has_seen_all(self) -> bool:
        """Whether runs have seen every change of the trees, and of what the catalog was made of."""
        is_known = self.has_base and self.is_sound and not self.is_half_written
        return is_known and not (self._published or self._is_more_to_see)

    @property
    def all_rows(self) -> Source:
        return self._platform.source()

    @property
    def source(self) -> Source:
        """As the next run reads it."""
        return without(self.all_rows, self.erased)

    def happens(self, operation: Operation) -> None:
        """Rows are loaded, deleted or written by others, or the settings change."""
        if operation.kind == "settings":
            self.settings = settings_of(operation.content["metrics"])
            self.has_base, self._is_more_to_see, self._may_be_stale = False, True, True
            return
        for table, rows in operation.content.items():
            if operation.kind == "load":
                self._platform.load(table, rows)
                self._touch(table, rows)
            elif operation.kind == "delete":
                self._platform.delete(table, rows)
                self._is_more_to_see = True
            elif any({*self.settings.carry} & {*row["agg"]} for row in rows):
                self._is_more_to_see = True
            elif any(own_entries(table, key_of(table, row), row["agg"], self.settings) for row in rows):
                self.is_sound, self._may_be_stale = False, True

    def _touch(self, table: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if table == "user_enrolments":
                self._touched.add((row["userid"], f"cb:{row['batchid']}"))
            elif table in ("assessment_aggregator", "timespent"):
                self._touched.add((row["user_id"], f"cb:{row['batch_id']}"))
            elif table == "content_hierarchy":
                self._published.add(row["identifier"])

    def problems(self, operation: Operation, before: Tables, after: Tables, ended: Ended) -> list[str]:
        """Of a command that has come to its end."""
        if operation.arguments[0] == "erase" and ended.code in (0, UNREACHABLE):
            self._is_more_to_see = True  # where nobody is left, a full run leaves no zeros
            self.erased |= set(operation.files["users.txt"].split())
        if operation.killed_at is not None and ended.code == UNREACHABLE:
            self._dead += 1
            return []
        if ended.code == REFUSED and self._may_be_refused(operation):
            # What a dead run has staged may have been applied before it was seen that nothing follows from it.
            return [] if self.is_half_written else unchanged(before, after)
        if ended.code != 0:
            return [f"it ended with {ended.code}"]
        if ended.status != "succeeded" or "--dry-run" in operation.arguments:
            return unchanged(before, after)
        reach = self._reach(operation)
        found = self._of_what_it_saw(operation, reach, before, after, ended)
        self._settle(operation, reach, ended)
        return found + self._of_what_is_published(before, after, reach)

    def _may_be_refused(self, operation: Operation) -> bool:
        """What needs a base and has none; a resume, where the run had too little to write to die of it."""
        lacks_base = not self.has_base or self.is_half_written
        return "--resume" in operation.arguments or (lacks_base and bool(OF_LEARNERS & {*operation.arguments}))

    def _reach(self, operation: Operation) -> Reach:
        arguments, contexts = operation.arguments, contexts_named(operation)
        enrolled = {(str(row.user_id), f"cb:{row.batch_id}") for row in self.source.enrolments}
        learners = learners_named(operation)
        if "--resume" in arguments or (self.is_half_written and arguments != ["run"]):
            return Reach(is_everything=False, is_of_now=False)
        if "--incremental" in arguments:
            is_everything = not self.has_base or (self.is_sound and not self._is_more_to_see)
            return Reach(is_everything, frozenset(self._touched & enrolled), frozenset(self._whole_contexts()))
        if arguments[0] == "erase" or learners:
            return Reach(pairs=frozenset(pair for pair in enrolled if pair[0] in learners))
        if contexts:
            return Reach(pairs=frozenset(pair for pair in enrolled if pair[1] in contexts))
        if "--changed" in arguments:
            lines = [line.split(",") for line in operation.files["changed.csv"].splitlines()]
            return Reach(pairs=frozenset((user, f"cb:{batch}") for user, _, batch in lines) & enrolled)
        return Reach(is_everything=not {"--activity", "--group"} & {*arguments})

    def _whole_contexts(self) -> set[str]:
        """Those of courses that were published, and can be computed."""
        found = accepted(self.source)
        return {place.context_id for place in found.by_place if place.course_id in self._published}

    def _of_what_it_saw(
        self, operation: Operation, reach: Reach, before: Tables, after: Tables, ended: Ended
    ) -> list[str]:
        now = (self.source, self.settings, before, after)
        found = [*foreign_problems(before, after, self.settings, self.erased), *erased_problems(after, self.erased)]
        if reach.is_of_now:
            found += requirement_problems(*now) if operation.arguments[0] == "erase" else frozen_problems(*now)
        if ended.left or not reach.is_of_now:
            return found
        if reach.is_everything:
            return found + whole_problems(*now)
        return found + pair_problems(*now, reach.pairs, {*reach.whole})

    def _settle(self, operation: Operation, reach: Reach, ended: Ended) -> None:
        arguments = operation.arguments
        looks_for_changes = "--incremental" in arguments or arguments[:2] == ["run"] or "--as-of" in arguments
        computed_everything = reach.is_everything and ("--incremental" not in arguments or not self.has_base)
        if ended.left:
            self.has_base = self.is_sound = False
        elif computed_everything:
            self.is_sound = True
            self.has_base = self.has_base or arguments[0] == "run"
        if computed_everything or {"--incremental", *OF_LEARNERS} & {*arguments}:
            self._dead = 0
        elif "--resume" in arguments:
            self._dead -= 1
        if looks_for_changes or computed_everything:
            self._touched, self._published = set(), set()
        if computed_everything:
            self._is_more_to_see = False

    def _of_what_is_published(self, before: Tables, after: Tables, reach: Reach) -> list[str]:
        if not (self.has_base and self.is_sound) or self.is_half_written:
            return []
        if self._may_be_stale:
            self._stale |= accepted(self.source).unsettled
        looked_at = without_courses(after, self._stale)
        found = [f"published: {problem}" for problem in published_problems(looked_at, self.settings)]
        return found + (group_problems(self.source, self.settings, before, after) if reach.is_of_now else [])


def settings_of(metrics: dict[str, Any]) -> Settings:
    return Settings(
        families=frozenset(metrics["families"]),
        sticky=metrics["completion"] == "sticky",
        scores_in_course=metrics["scores_in_course"],
        course_types=tuple(metrics["course_types"]),
        time_zone=metrics["time_zone"],
        carry=tuple(metrics["carry"]),
    )


def key_of(table: str, row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[column] for column in KEYS[table]._fields)


def learners_named(operation: Operation) -> set[str]:
    named = {value for flag, value in pairwise(operation.arguments) if flag == "--user"}
    return named | set(operation.files.get("users.txt", "").split())


def contexts_named(operation: Operation) -> set[str]:
    named = {value for flag, value in pairwise(operation.arguments) if flag == "--context"}
    record = yaml.safe_load(operation.files.get("record.yaml", "{}"))
    return named | set(record.get("scope", {}).get("contexts", []))
