"""Incremental runs over whatever happens, crashes included: each leaves what a full run would."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.errors import Unreachable
from activity_aggregates.run import applying
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.writing.apply import apply_changes
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.properties.histories import Platform, drawn

_WORLDS = 12
_STEPS = int(os.environ.get("HISTORY_STEPS", "2"))
_SEEDS = [int(number) for number in os.environ.get("HISTORIES", "1").split(",")]
_CHANGED = "changed."


class Job:
    """The command on the tables of one environment."""

    def __init__(self, made: Environment, conf: Path) -> None:
        self._made = made
        self._conf = conf

    def run(self, *arguments: str) -> int:
        return main(["run", "--conf", str(self._conf), *arguments])

    @property
    def latest(self) -> RunRecord:
        record = self._made.ledger.latest()
        assert record is not None
        return record

    def differs(self) -> dict[str, int]:
        """How many rows of each table a full run would change."""
        assert self.run("--dry-run") == 0
        counts = self.latest.counts
        return {name: count for name, count in counts.items() if name.startswith(_CHANGED) and count}


@pytest.mark.parametrize("number", _SEEDS)
def test_incremental_runs_end_where_a_full_run_would(
    made: Environment, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(number)
    made.empty()
    job = Job(made, made.configure({"incremental": {"lookback": 0}}, tmp_path))
    platform = Platform(made.store, chance)
    platform.begin(drawn(1000 * number, _WORLDS))
    assert job.run() == 0
    for step in range(1, _STEPS + 1):
        platform.go_on(drawn(1000 * number + step, _WORLDS))
        crash, code = chance.choice([None, *_AFTER_A_CRASH]), 0
        if crash is not None:
            with monkeypatch.context() as patched:
                patched.setattr(applying, "apply_changes", half_applied(chance.randrange(4)))
                code = job.run("--incremental")
            assert code in (0, 3)  # 0 where there was too little to write for it to crash
            platform.go_on(drawn(1000 * number + 100 + step, _WORLDS))
            crash(job)
        assert job.run("--incremental") == 0
        assert job.latest.command == ("run" if crash is _lose_what_was_staged and code == 3 else "run --incremental")
        assert job.differs() == {}, f"step {step} of history {number}"


def half_applied(after: int) -> Callable[..., Any]:
    """Writing that breaks off in the middle of the table after `after` others."""
    calls = 0

    def apply(changes: DataFrame, plan: Any, *further: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= after:
            return apply_changes(changes, plan, *further)
        key = F.hash(*changes.columns[:3])
        apply_changes(changes.filter(F.pmod(key, F.lit(2)) == 0), plan)
        raise Unreachable("the store was lost")

    return apply


def _go_on(job: Job) -> None:
    """The next run finds what was staged."""


def _overtake(job: Job) -> None:
    """A run of one context succeeds, so what was staged must not be written any more."""
    assert job.run("--context", "cb:w0.b1") == 0


def _lose_what_was_staged(job: Job) -> None:
    shutil.rmtree(job.latest.staging_dir.removeprefix("file:"))


_AFTER_A_CRASH = (_go_on, _overtake, _lose_what_was_staged)
