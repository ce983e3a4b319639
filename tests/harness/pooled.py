"""A case among others in one world: its ids, and what it sees of what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from metrics.declarations import ANY_TYPE, EVERYTHING, FAMILIES, METRICS, Selection, names
from metrics.names import COURSE
from tests.harness.case import Case, Step, read_case
from tests.harness.environment import TEST_SETTINGS, merged
from tests.harness.renaming import under
from tests.harness.schedule import Command
from tests.harness.turns import Turn, turns_of
from tests.harness.values import Row

Settings = dict[str, Any]

# What cases have in their first run without naming it: in a run of several, counts are added up.
_UNNAMED = {
    "attempt-of-who-left-ends": {"inactive_attempts": 2},
    "changed-pair-of-who-was-inactive": {"inactive_attempts": 1},
    "changed-pair-beside-entries-of-others": {"inactive_attempts": 1},
    "enrolled-without-progress": {"inactive_enrolment": 1},
    "group-of-three": {"computed.group_activities": 1},
    "quiz-best-attempt": {"orphan_attempts": 1},
    "quiz-of-a-deleted-enrolment-ends": {"inactive_attempts": 1},
}


@dataclass(frozen=True, eq=False)
class Pooled:
    """A case under ids that begin with its prefix, and the file that it is from."""

    file: Path
    case: Case
    prefix: str = ""

    def renamed(self, prefix: str) -> Pooled:
        return Pooled(self.file, under(prefix, self.case), prefix)

    @cached_property
    def turns(self) -> list[Turn]:
        first, *later = turns_of(self.case)
        return [replace(first, unnamed=_UNNAMED.get(self.file.stem, {})), *later]

    @cached_property
    def commands(self) -> list[Command]:
        return [turn.command(self.file.name) for turn in self.turns]

    def last_looks(self) -> list[Step]:
        """What it expects at last, if it has changed nothing since."""
        for turn in reversed(self.turns):
            if turn.is_otherwise_set:
                break
            if found := [step for step in turn.after if step.kind != "expect_run"]:
                return found
            if turn.before:
                break
        return []

    @cached_property
    def settings(self) -> Settings:
        """Those that it begins with."""
        return merged(TEST_SETTINGS, self.case.settings)

    @cached_property
    def selection(self) -> Selection:
        """The metrics that the case knows of: those that are on before any of its steps."""
        later = [step.content for step in self.case.steps if step.kind == "settings"]
        on = {family for each in (self.settings, *later) for family in each.get("metrics", {}).get("families", [])}
        return Selection(tuple(family for family in FAMILIES if family in on))

    def owns(self, row: Row) -> bool:
        return any(self.prefix in value for value in row.values() if isinstance(value, str))

    def seen(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """Of stored rows its own, without the entries of metrics that are on for other cases alone."""
        own = [row for row in rows if self.owns(row)]
        return [{**row, "agg": self._known(table, row)} for row in own] if names(table) else own

    def _known(self, table: str, row: Row) -> Row:
        type_ = row["activity_type"] if row["activity_type"] in ANY_TYPE else COURSE
        declared = [metric for metric in METRICS if table in metric.tables and type_ in metric.types]
        on = {metric.name for metric in declared if self.selection.has(metric)}
        off = {metric.name for metric in declared} - on
        return {name: value for name, value in (row["agg"] or {}).items() if name not in off}

    def knows(self, table: str) -> bool:
        """Whether it has any metric of the table on; of a table without metrics, always."""
        return not names(table, EVERYTHING) or bool(names(table, self.selection))

    def said(self, step: Step, sentences: Sequence[str]) -> list[str]:
        return [f"{self.file.name} ({self.case.why}): step {step.number} ({step.kind}): {each}" for each in sentences]


def read(file: Path) -> Pooled:
    return Pooled(file, read_case(file))
