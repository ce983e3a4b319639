"""Random histories on the real store: each command of each leaves what the model says, and no published sum is wrong.

`scripts/test histories --seeds N` runs N of them, `--first SEED --seeds 1` a failing one alone, and `--platform NUMBER`
one of its platforms. What is found names the platform: `w3-` stands before the ids of the fourth. Those of even seeds
read by key what they can, as runs do where tables are large.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.errors import Unreachable
from activity_aggregates.run import applying
from activity_aggregates.writing.apply import Applied, apply_changes
from tests.harness.by_key import prefer_keys
from tests.harness.environment import Environment
from tests.harness.execution import called
from tests.properties.histories import PLATFORMS, history
from tests.properties.operations import as_case, command
from tests.properties.replay import PUBLISHED, SHOWN, Replay

SECONDS = 120  # for as many as they hold, where no number is given
QUARTERS = 4  # a killed run has written so many quarters of its rows as its operation says
FINAL = [command(*PUBLISHED), command("run"), command(*PUBLISHED)]
CRASHED = -1


def seeds() -> Iterator[int]:
    """As many as were asked for, or as two minutes hold."""
    first, number = int(os.environ.get("HISTORIES_FIRST", "1")), os.environ.get("HISTORIES")
    until = time.monotonic() + SECONDS
    for seed in range(first, first + int(number or 1000)):
        if number is None and time.monotonic() > until:
            return
        yield seed


def platforms() -> list[int]:
    named = os.environ.get("HISTORIES_PLATFORM")
    return [int(named)] if named else list(range(PLATFORMS))


def test_every_command_of_every_history_leaves_what_the_model_says(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setenv("ERASED_SECRET", "a secret of sixteen bytes")
    for seed in seeds():
        began = time.monotonic()
        operations = [*history(seed, platforms()), *FINAL]
        with monkeypatch.context() as patched:
            if seed % 2 == 0:
                prefer_keys(patched)
            problems = Replay(made, tmp_path, partial(call, monkeypatch)).problems(operations)
        print(f"history {seed}: {len(operations)} steps, {time.monotonic() - began:.0f} s, {len(problems)} problems")
        if problems:
            (tmp_path / f"history-{seed}.yaml").write_text(as_case(f"history {seed}", operations), "utf-8")
            found.append("\n  ".join([f"history {seed} (in {tmp_path}/history-{seed}.yaml):", *problems]))
            print(found[-1])
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def call(monkeypatch: pytest.MonkeyPatch, arguments: list[str], conf: Path, killed_at: int | None) -> tuple[int, str]:
    """In this process, where a killed run loses the store when so many quarters of its rows are written."""
    with monkeypatch.context() as patched:
        if killed_at is not None:
            patched.setattr(applying, "apply_changes", killed_after(killed_at))
        try:
            return called(arguments, conf)
        except Exception:  # noqa: BLE001, a traceback is what a bug of the command looks like
            return CRASHED, "\n".join(traceback.format_exc().splitlines()[-SHOWN:])


def killed_after(quarters: int) -> Any:
    """Writing that breaks off when so many quarters of the rows are written, or before the last is acknowledged."""

    def apply(changes: DataFrame, *further: Any) -> Applied:
        key = F.hash("activity_type", "activity_id", "context_id", "user_id", "group_id")
        apply_changes(changes.filter(F.pmod(key, F.lit(QUARTERS)) < quarters), *further)
        raise Unreachable("the store was lost")

    return apply
