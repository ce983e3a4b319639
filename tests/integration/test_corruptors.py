"""Damage of every kind is found by `verify`, entry by entry, and nothing else is; and what `--published` sees of it.

`scripts/test corruptors --each N` damages N contexts in each way, in place of two.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jobs.__main__ import main
from tests.corruption import stored, world
from tests.corruption.corruptors import CORRUPTORS, Rows
from tests.harness.environment import Environment
from tests.model import Settings, published_problems
from tests.model.tables import KEYS

EACH = 2
MODEL = Settings(families=frozenset(world.SETTINGS["metrics"]["families"]))
# What follows from sums and is none itself: `--published` leaves it to `verify`.
DERIVED = ("completionPercentage", "averageProgress", "averageScorePercentage")


def test_every_damage_is_found_and_nothing_else(made: Environment, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    each = pytestconfig.getoption("--each") or EACH
    kinds = {f"{kind}.{number}": kind for kind in CORRUPTORS for number in range(each)}
    made.empty()
    settings = {**world.SETTINGS, "sources": world.write(kinds, tmp_path)}
    conf = made.configure(settings, tmp_path)
    assert main(["run", "--conf", str(conf)]) == 0
    assert main(["verify", "--conf", str(conf)]) == 0
    right = stored.read(made)

    damaged: dict[Any, Any] = {}
    for context, rows in stored.by_context(right, kinds).items():
        changed = CORRUPTORS[kinds[context]](rows, Random(context))
        assert changed != rows, context
        damaged.update(changed)
    stored.damage(made, right, damaged)

    found = told(conf, 1, tmp_path / "found.jsonl")
    wanted = list(stored.findings(right, damaged, made.store.key))
    assert sorted(found, key=in_order) == sorted(wanted, key=in_order)
    seen = {(sum_["table"], sum_["key"]) for sum_ in told(conf, 1, tmp_path / "sums.jsonl", "--published")}
    assert seen == sums_that_differ(damaged)
    print(f"verify finds {len(kinds)} of {len(kinds)}; --published finds, of {each} of each kind:")
    print(dict(Counter(kinds[context] for context in kinds if any(f"-{context}" in key for _, key in seen))))


def told(conf: Path, code: int, out: Path, *flags: str) -> list[dict[str, Any]]:
    assert main(["verify", "--conf", str(conf), "--out", str(out), *flags]) == code
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def in_order(finding: dict[str, Any]) -> str:
    return json.dumps([finding["table"], finding["key"]])


def sums_that_differ(rows: Rows) -> set[tuple[str, str]]:
    """Table and key of each row of sums that its rows do not add up to, as the model says."""
    found = set()
    for problem in published_problems(stored.as_tables(rows), MODEL):
        table, *words = problem.replace(" lacks ", " ").split(" ")
        if not any(f": {name} is " in problem for name in DERIVED):
            found.add((table, " ".join(words[: len(KEYS[table]._fields)]).removesuffix(":")))
    return found
