"""The commands of a case, each with what the case does before it and looks at after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from tests.harness.case import COMMANDS, Case, Step
from tests.harness.records import flattened
from tests.harness.schedule import AS_OF, BY_ITSELF, NOW, OTHERWISE_SET, WHEN_ALL_IS_DONE, WITH_OTHERS, Command

# What a record says of the whole run. All else are counts of rows that each case has by itself: those of cases that run
# together are added up, and one that a case does not name is 0 for it.
_OF_THE_WHOLE = {
    "command", "status", "scope", "sequence", "written", "changed", "retracted", "stored", "held", "concerned",
    "missing", "extra", "different", "newer",
}  # fmt: skip
SCOPES = ("--user", "--context", "--activity", "--group")
_OF_SOME = (*SCOPES, "--changed", "--dry-run")


@dataclass
class Turn:
    """One command of a case: `before` are the steps that it changes something by, `after` those that look."""

    step: Step
    before: Sequence[Step]
    is_otherwise_set: bool
    after: list[Step] = field(default_factory=list)
    unnamed: Mapping[str, int] = field(default_factory=dict)  # counts of the run that the case has and is silent about

    @property
    def words(self) -> list[str]:
        """The command with its arguments."""
        return [*(["run"] if self.step.kind == "run" else []), *map(str, self.step.content.get("args") or [])]

    @property
    def as_of(self) -> str:
        return self.words[self.words.index("--as-of") + 1] if "--as-of" in self.words else ""

    def command(self, name: str) -> Command:
        """What it is in an order of commands; where it is the case's alone, it has the case's name."""
        words, whole = self.words, self._of_the_whole()
        key = " ".join(word for before, word in pairwise(["", *words]) if before not in SCOPES)
        with_whom = WITH_OTHERS
        if self.step.content.get("exit") or self.is_otherwise_set or any(whole):
            key, with_whom = f"{key} of {name}", BY_ITSELF
        elif whole:
            key, with_whom = f"{key} that writes nothing", WHEN_ALL_IS_DONE
        when = OTHERWISE_SET if self.is_otherwise_set else AS_OF if self.as_of else NOW
        return Command(
            key,
            settles="--repair" in words or (words[0] == "run" and not {*words} & {*_OF_SOME}),
            looks="--published" in words,
            turn=(when, self.as_of, with_whom),
        )

    def _of_the_whole(self) -> list[Any]:
        """What the case expects of the record that is not of its rows alone."""
        return [value for name, value in self.of_the_run() if name.split(".")[0] in _OF_THE_WHOLE]

    def of_the_run(self) -> Iterator[tuple[str, Any]]:
        """What the case expects of the record, by dotted names."""
        yield from self.unnamed.items()
        for step in self.after:
            if step.kind == "expect_run":
                yield from ((name.removeprefix("counted."), value) for name, value in flattened(step.content))


def turns_of(case: Case) -> list[Turn]:
    found: list[Turn] = []
    before: list[Step] = []
    is_otherwise_set = False
    for step in case.steps:
        is_otherwise_set = is_otherwise_set or step.kind == "settings"
        if step.kind in COMMANDS:
            found.append(Turn(step, before, is_otherwise_set))
            before = []
        elif before or not found or not step.kind.startswith("expect"):
            before.append(step)
        else:
            found[-1].after.append(step)
    return found


def united(steps: Sequence[Step]) -> Step:
    """The command of all of them: the scopes of all, and the files of all as one."""
    args = [argument for step in steps[:1] for argument in step.content.get("args") or []]
    for step in steps[1:]:
        own = list(map(str, step.content.get("args") or []))
        args += [word for pair in pairwise(own) if pair[0] in SCOPES for word in pair]
    texts = [text for step in steps for text in (step.content.get("files") or {}).values()]
    files = {name: "".join(texts) for name in steps[0].content.get("files") or {}}
    return replace(steps[0], content={**steps[0].content, "args": args, "files": files})


def added_up(expected: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What cases expect of the record of one run: the sums of their counts, of which one that is silent has none.

    >>> added_up([{"refused.missing_key": 1, "written": 0}, {"refused.missing_key": 2}, {}])
    {'refused.missing_key': 3, 'written': 0}
    """
    found: dict[str, Any] = {}
    for name, value in (pair for each in expected for pair in each.items()):
        found[name] = found[name] + value if isinstance(value, int) and name in found else value
    return found
