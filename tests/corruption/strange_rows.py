"""Rows of the sources that nobody should have written: right ones in which one column holds something else."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.corruption import world
from tests.fuzz.strange import NUMBERS, TEXTS, value

CONTEXT = "strange"  # whose rows they are made of
LONG = ("k" * 70_000, "é" * 40_000)  # longer than a key may be
_JSON_NUMBERS = [number for number in NUMBERS if number == number and abs(number) != float("inf")]
VALUES: tuple[Any, ...] = (
    None, True, False, [], {}, [1], {"a": 1}, [None], *TEXTS, *_JSON_NUMBERS, *LONG,
    "Infinity", "-Infinity", "NaN", "1764144000000000000", "2026-01-05T08:00:00+99:00", "+294247-01-10T04:00:54Z",
    '[{"name": "merit"}]', "[", '[{"id": "c1", "type": "Course"}]', [{"id": "c1"}], [{"id": None, "type": 5}], [[]],
)  # fmt: skip


def rows(number: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(source, row): every column of every source with every value, then as many again as `number` asks for."""
    chance = Random(seed)
    right = list(world.rows_of(CONTEXT))
    first = {source: dict(row) for source, row in reversed(right)}
    made = 0
    for source, row in first.items():
        for column in row:
            for strange in VALUES:
                yield source, {**row, column: strange}
                made += 1
    while made < number:
        source, row = chance.choice(right)
        changed = {column: value(chance) for column in chance.sample(sorted(row), min(len(row), chance.randint(1, 3)))}
        yield source, {**row, **changed}
        made += 1
