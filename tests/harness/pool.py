"""Cases of one shape in one world: each with ids of its own, so that the runs that all of them ask for are run once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.harness.case import Case, Step, read_case
from tests.harness.environment import Environment
from tests.harness.errors import Mismatch
from tests.harness.execution import compare, perform
from tests.harness.hierarchy import MIME_TYPES
from tests.harness.records import flattened, record_differences
from tests.harness.store import HIERARCHIES

_SHARED = ("load", "delete", "write", "run", "expect", "expect_some", "expect_run")
# Counts of rows that each case has by itself, by the first word of their names: of a pool they are added up, and a case
# that does not name one has none.
_ADDED_UP = {
    "refused", "counted", "foreign_content", "orphan_progress", "inactive_attempts", "retired",
    "retired_progress", "shared_context",
}  # fmt: skip
_IDS = {
    "userid", "user_id", "courseid", "course_id", "batchid", "batch_id", "contentid", "content_id", "groupid",
    "group_id", "id", "identifier", "activity_id", *MIME_TYPES,
}  # fmt: skip
_ALONE = {"date-beyond-range"}  # it has all dates of a run read in another way
_IN_TEXT = re.compile(r'"identifier"\s*:\s*"([^"]+)"')

Shape = tuple[str, ...]


@dataclass(frozen=True)
class Pooled:
    """A case under ids that begin with its prefix, and the file that it is from."""

    file: Path
    case: Case
    prefix: str

    def rounds(self) -> list[list[Step]]:
        """The steps before the first run, between one run and the next, and after the last."""
        found: list[list[Step]] = [[]]
        for step in self.case.steps:
            if step.kind == "run":
                found.append([])
            else:
                found[-1].append(step)
        return found


def worlds(files: Sequence[Path]) -> list[list[Path]]:
    """The files, those together that can share a world."""
    by_shape: dict[Shape, list[Path]] = {}
    alone: list[list[Path]] = []
    for file in files:
        found = None if file.stem in _ALONE else shape(read_case(file))
        if found is None:
            alone.append([file])
        else:
            by_shape.setdefault(found, []).append(file)
    return [*by_shape.values(), *alone]


def shape(case: Case) -> Shape | None:
    """What a case runs; None where it has settings or looks at a run as a whole, and so needs a world of its own."""
    counts = {name for step in case.steps if step.kind == "expect_run" for name in step.content}
    can_share = (
        all(step.kind in _SHARED for step in case.steps) and {name.split(".")[0] for name in counts} <= _ADDED_UP
    )
    arguments = [step.content.get("args") or [] for step in case.steps if step.kind == "run"]
    if case.settings or not can_share or any("exit" in step.content for step in case.steps if step.kind == "run"):
        return None
    if any(words and (len(words) != 2 or words[0] != "--as-of") for words in arguments):
        return None
    return tuple(" ".join(map(str, words)) for words in arguments)


def execute_together(files: Sequence[Path], environment: Environment, folder: Path) -> None:
    """Raises Mismatch with all that does not hold of any of the cases."""
    pool = [pooled(file, f"p{number}-") for number, file in enumerate(files)]
    conf = environment.configure({}, folder)
    runs = [step for step in pool[0].case.steps if step.kind == "run"]
    problems: list[str] = []
    for number, steps in enumerate(zip(*(each.rounds() for each in pool), strict=True)):
        if number:
            problems += perform(runs[number - 1], environment, conf)
        problems += _of_the_run([step for own in steps for step in own], environment)
        for each, own in zip(pool, steps, strict=True):
            found = [sentence for step in own for sentence in _performed(step, environment, conf, each.prefix)]
            problems += [f"{each.file.name} ({each.case.why}): {sentence}" for sentence in found]
        if problems:
            raise Mismatch("\n  ".join([f"after {number} runs:", *problems]))


def pooled(file: Path, prefix: str) -> Pooled:
    """The case of a file with its ids renamed."""
    case = read_case(file)
    ids = {name for step in case.steps for name in ids_of(step.content) if name.strip()}
    steps = [
        step if step.kind == "run" else replace(step, content=renamed(step.content, ids, prefix)) for step in case.steps
    ]
    return Pooled(file, replace(case, steps=steps), prefix)


def ids_of(content: Any) -> Iterator[str]:
    """The ids that tables, rows and trees name.

    >>> sorted(ids_of({"content_hierarchy": {"c1": {"course": "c1", "children": ["A", {"unit": "n1"}]}}}))
    ['A', 'c1', 'c1', 'n1']
    """
    if isinstance(content, str):
        yield from _IN_TEXT.findall(content)
    elif isinstance(content, list):
        for each in content:
            yield from ids_of(each)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _named_under(key, value)
            yield from ids_of(value)


def _named_under(key: str, value: Any) -> Iterator[str]:
    if key in _IDS and isinstance(value, str):
        yield value
    elif key == HIERARCHIES and isinstance(value, Mapping):
        yield from value
    elif key == "children" and isinstance(value, list):
        yield from (child for child in value if isinstance(child, str))


def renamed(content: Any, ids: set[str], prefix: str) -> Any:
    """With the prefix before every id, wherever it stands as a word.

    >>> renamed({"context_id": "cb:b1", "agg": {"score:Q": 1}}, {"b1", "Q"}, "p1-")
    {'context_id': 'cb:p1-b1', 'agg': {'score:p1-Q': 1}}
    """
    words = re.compile(r"(?<![\w-])(" + "|".join(sorted(map(re.escape, ids), key=len, reverse=True)) + r")(?![\w-])")

    def of(value: Any) -> Any:
        if isinstance(value, str):
            return words.sub(lambda found: prefix + found[0], value)
        if isinstance(value, Mapping):
            return {of(key): of(entry) for key, entry in value.items()}
        return [of(each) for each in value] if isinstance(value, list) else value

    return of(content)


def _of_the_run(steps: Sequence[Step], environment: Environment) -> list[str]:
    counted = [dict(flattened(step.content)) for step in steps if step.kind == "expect_run"]
    if not counted:
        return []
    wanted = {name: sum(each.get(name, 0) for each in counted) for name in {name for each in counted for name in each}}
    return record_differences(environment.ledger.latest(), wanted)


def _performed(step: Step, environment: Environment, conf: Path, prefix: str) -> list[str]:
    if step.kind == "expect_run":
        return []
    if step.kind not in ("expect", "expect_some"):
        return perform(step, environment, conf)
    found = compare(step.content, environment, others_allowed=step.kind == "expect_some", among=prefix)
    return [f"step {step.number}: {sentence}" for sentence in found]
