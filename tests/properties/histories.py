"""Random histories: what happens to some small platforms beside one another, and the commands that look at all of them.

A command of some seconds does for all platforms at once; as their ids are apart, each of them has a history of its own.
The same seed gives the same history, and a platform goes through the same whether the others are there or not, so a
failing one can be looked at alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from tests.model import FAMILIES
from tests.properties.operations import Operation, command, joined
from tests.properties.platforms import Platform

PLATFORMS = 12
CHANGE = "change"
ROUNDS = (4, 7)  # at least, at most

# Kinds of commands and how often each comes up.
COMMANDS = {
    "full": 3,
    "incremental": 8,
    "users": 4,
    "users-file": 2,
    "changed": 4,
    "contexts": 4,
    "activities": 3,
    "groups": 2,
    "backfill": 2,
    "repair": 2,
    "repair-users": 1,
    "erase": 1,
    "again": 1,
    "older": 1,
    "dry": 1,
    "settings": 1,
}
CAN_DIE = ("full", "incremental", "users", "changed", "contexts", "backfill")


class Script:
    """What is common to all platforms of a history: the kinds of its steps, its settings, and where runs die."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"script {seed}")
        self.settings = drawn_settings(chance)
        self.has_foreign_writers = chance.random() < 0.2
        self.steps: list[tuple[str, int | None]] = [("full" if chance.random() < 0.8 else "incremental", None)]
        for _ in range(chance.randint(*ROUNDS)):
            self.steps += self._round(chance)
        self._later_settings = random.Random(f"settings {seed}")

    def _round(self, chance: random.Random) -> list[tuple[str, int | None]]:
        """Something happens, mostly, and a command is called, which may be killed and finished or not."""
        happens: list[tuple[str, int | None]] = [(CHANGE, None)] if chance.random() < 0.85 else []
        kind = chance.choices(list(COMMANDS), list(COMMANDS.values()))[0]
        killed = chance.randrange(4) if kind in CAN_DIE and chance.random() < 0.2 else None
        after: list[tuple[str, int | None]] = []
        if killed is not None:
            after = chance.choice([[("resume", None)], [(CHANGE, None), ("resume", None)], [(CHANGE, None)], []])
        return [*happens, (kind, killed), *after]

    def next_settings(self) -> dict[str, Any]:
        return drawn_settings(self._later_settings)


def drawn_settings(chance: random.Random) -> dict[str, Any]:
    others = sorted(FAMILIES - {"completion"})
    families = chance.choice([others, others, [], [family for family in others if chance.random() < 0.5]])
    return {
        "families": ["completion", *families],
        "completion": chance.choice(["sticky", "current"]),
        "scores_in_course": chance.choice([True, True, False]),
        "course_types": chance.choice([["Course"], ["Course", "TextBook"]]),
        "time_zone": chance.choice(["UTC", "Asia/Kolkata"]),
        "carry": chance.choice([[], ["foreign"]]),
    }


def history(seed: int, platforms: Iterable[int] = range(PLATFORMS)) -> list[Operation]:
    """All of it, from empty tables on; of the platforms named alone."""
    script = Script(seed)
    taking_part = [Platform(f"w{number}-", random.Random(f"platform {seed} {number}")) for number in platforms]
    operations = [Operation("settings", {"metrics": script.settings})]
    operations += [operation for platform in taking_part for operation in platform.begin()]
    foreign_writers = 0.15 if script.has_foreign_writers else 0.0
    for kind, killed in script.steps:
        if kind == CHANGE:
            for platform in taking_part:
                operations += platform.go_on(foreign_writers) if platform.chance.random() < 0.4 else []
        elif kind == "settings":
            operations.append(Operation("settings", {"metrics": script.next_settings()}))
        elif kind == "resume":
            operations.append(resumed(operations))
        else:
            operations += called(kind, killed, taking_part)
    return joined(operations)


def resumed(operations: Sequence[Operation]) -> Operation:
    """A backfill goes on where it is called again, everything else by its place in the ledger."""
    latest = next(operation for operation in reversed(operations) if operation.is_command)
    if latest.arguments[0] != "backfill":
        return command("run", "--resume", "last")
    return command(*(each for each in latest.arguments if each != "--again"), files=latest.files)


def called(kind: str, killed: int | None, platforms: Sequence[Platform]) -> list[Operation]:
    """The command, with what each platform would have it look at; none where that is nothing."""
    if kind in WITHOUT_SCOPE:
        return [command(*WITHOUT_SCOPE[kind], killed=killed)]
    values = []
    for platform in platforms:
        values += some(platform.chance, SCOPES[kind](platform))
        if kind == "erase":
            platform.erase(values)
    return [scoped(kind, values, killed)] if values else []


def some(chance: random.Random, values: Sequence[str]) -> list[str]:
    """One or two of them, or none."""
    return sorted(chance.sample(values, k=min(len(values), chance.choice([0, 1, 1, 2]))))


WITHOUT_SCOPE = {
    "full": ["run"],
    "incremental": ["run", "--incremental"],
    "repair": ["verify", "--repair"],
    "again": ["run", "--as-of", "{last}"],
    "older": ["run", "--as-of", "{older}"],
    "dry": ["run", "--dry-run"],
}


def pairs(platform: Platform) -> list[str]:
    return sorted(f"{row['userid']},{row['courseid']},{row['batchid']}" for row in platform.enrolments())


SCOPES = {
    "users": Platform.learners,
    "users-file": Platform.learners,
    "changed": pairs,
    "contexts": Platform.contexts,
    "activities": Platform.activities,
    "groups": Platform.known_groups,
    "backfill": Platform.contexts,
    "repair-users": Platform.learners,
    "erase": Platform.learners,
}
FLAGS = {
    "users": ["run", "--user"],
    "contexts": ["run", "--context"],
    "activities": ["run", "--activity"],
    "groups": ["run", "--group"],
    "repair-users": ["verify", "--repair", "--user"],
}


def scoped(kind: str, values: list[str], killed: int | None) -> Operation:
    lines = "".join(f"{value}\n" for value in values)
    if kind == "users-file":
        return command("run", "--users-file", "users.txt", files={"users.txt": lines}, killed=killed)
    if kind == "erase":
        return command("erase", "--users-file", "users.txt", files={"users.txt": lines}, killed=killed)
    if kind == "changed":
        return command("run", "--changed", "changed.csv", files={"changed.csv": lines}, killed=killed)
    if kind == "backfill":
        record = {"reason": "A history.", "owner": "tests", "scope": {"contexts": values}, "status": "approved"}
        return command(
            "backfill", "record.yaml", "--again", files={"record.yaml": yaml.safe_dump(record)}, killed=killed
        )
    *called, flag = FLAGS[kind]
    return command(*called, *(part for value in values for part in (flag, value)), killed=killed)
