"""Whatever comes in is taken or refused, and nothing else happens.

`scripts/test fuzz --inputs N` tries N inputs in place of a few thousands, `--seed N` the one of a seed of each kind,
and `-k KIND` one kind alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import commands, files, requests, trees

INPUTS = 6000
_PARTS = 10
_TELLING = 100  # inputs, among which some of every kind are taken and some refused

Try = Callable[[Random, Path], str]


@dataclass(frozen=True)
class Kind:
    """What is tried, and its share of all inputs: what is cheap is tried often. A try is "" or why it was refused."""

    tried: Try
    share: float


KINDS = {
    "hierarchies": Kind(trees.hierarchy, 0.15),
    "bodies": Kind(requests.body, 0.35),
    "headers": Kind(requests.headers, 0.20),
    "ids": Kind(files.ids, 0.26),
    "backfills": Kind(files.backfill, 0.03),
    "configurations": Kind(files.configuration, 0.005),
    "commands": Kind(commands.command_line, 0.005),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One seed of each kind where the command line names one, else each kind in parts that processes share."""
    if "seeds" not in metafunc.fixturenames:
        return
    named, inputs = metafunc.config.getoption("--seed"), metafunc.config.getoption("--inputs")
    drawn = [(name, seeds) for name in KINDS for seeds in _seeds(KINDS[name], named, inputs)]
    metafunc.parametrize(("kind", "seeds"), drawn, ids=[f"{name}-{seeds.start}-{seeds.stop}" for name, seeds in drawn])


def _seeds(kind: Kind, named: int | None, inputs: int | None) -> list[range]:
    if named is not None:
        return [range(named, named + 1)]
    number, parts = round((inputs or INPUTS) * kind.share), _PARTS if inputs else 1
    return [range(part * number // parts, (part + 1) * number // parts) for part in range(parts)]


def test_whatever_comes_in_is_taken_or_refused(kind: str, seeds: range, tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        with told(kind, seed):
            outcomes[KINDS[kind].tried(Random(f"{kind} {seed}"), tmp_path)] += 1
    print(f"{kind}: {len(seeds)} inputs, {outcomes.pop('', 0)} taken, refused {dict(outcomes.most_common())}")
    if len(seeds) >= _TELLING:
        assert 0 < sum(outcomes.values()) < len(seeds)


@contextmanager
def told(kind: str, seed: int) -> Iterator[None]:
    """A failure names its input."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"try it alone by `scripts/test fuzz -k {kind} --seed {seed}`")
        raise
