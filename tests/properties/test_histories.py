"""What watches the histories is content with a job that is always right, and finds each fault of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.model import Tables, erased_from, model, without
from tests.model.tables import KEYS
from tests.properties.histories import history
from tests.properties.operations import Operation
from tests.properties.watching import Ended, Watcher, key_of, learners_named

_SEEDS = range(40)
Job = Callable[[Watcher, Operation, Tables], Tables]


def right(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
    """Computes everything, whatever it was called for."""
    erased = learners_named(operation) if operation.arguments[0] == "erase" else set()
    left = erased_from(before, erased, watcher.settings) if erased else before
    return model(without(watcher.source, erased), watcher.settings, left)


def counting_all_learners(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
    """Of some learners it writes the rows of these, and counts everybody's."""
    after = right(watcher, operation, before)
    learners = learners_named(operation)
    if not learners or operation.arguments[0] == "erase":
        return after
    others = {key: row for key, row in before.activity_user_agg.items() if key.user_id not in learners}
    these = {key: row for key, row in after.activity_user_agg.items() if key.user_id in learners}
    return replace(after, activity_user_agg=others | these)


def forgetting_what_stood(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
    """It takes rows of unsettled courses, and entries of others, for its own to retract."""
    return right(watcher, operation, Tables())


def retracting_nothing(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
    after = right(watcher, operation, before)
    return replace(after, activity_user_agg=before.activity_user_agg | after.activity_user_agg)


def leaving_out(table: str) -> Job:
    def job(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
        is_whole = operation.arguments[:2] == ["run"]
        stale: dict[str, Any] = {} if is_whole else {table: getattr(before, table)}
        return replace(right(watcher, operation, before), **stale)

    return job


def bringing_back(watcher: Watcher, operation: Operation, before: Tables) -> Tables:
    """It reads the sources as they are, with whoever was erased."""
    return model(watcher.all_rows, watcher.settings, before)


def watched(seed: int, job: Job) -> list[str]:
    """What is found in a history that the job goes through alone."""
    watcher, tables = Watcher(), Tables()
    for operation in history(seed, platforms=[0]):
        if not operation.is_command:
            watcher.happens(operation)
            tables = written(tables, operation)
            continue
        after = tables if "--dry-run" in operation.arguments else job(watcher, operation, tables)
        if found := watcher.problems(operation, tables, after, Ended(0)):
            return found
        tables = after
    return []


def written(tables: Tables, operation: Operation) -> Tables:
    for table, rows in operation.content.items() if operation.kind == "write" else ():
        merged = {key: dict(row) for key, row in getattr(tables, table).items()}
        for row in rows:
            key = KEYS[table](*key_of(table, row))
            merged[key] = merged.get(key, {}) | row["agg"]
        changed: dict[str, Any] = {table: merged}
        tables = replace(tables, **changed)
    return tables


@pytest.mark.parametrize("seed", _SEEDS)
def test_nothing_is_found_of_a_job_that_is_always_right(seed: int) -> None:
    assert watched(seed, right) == []


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(counting_all_learners, id="counts all learners in a run of some"),
        pytest.param(forgetting_what_stood, id="forgets what stood"),
        pytest.param(retracting_nothing, id="retracts nothing"),
        pytest.param(bringing_back, id="brings back who was erased"),
        *(pytest.param(leaving_out(table), id=f"leaves out {table}") for table in KEYS),
    ],
)
def test_each_fault_is_found(job: Job) -> None:
    assert any(watched(seed, job) for seed in _SEEDS)


def test_a_platform_has_the_same_history_whether_others_are_there_or_not() -> None:
    def of_first(operations: list[Operation]) -> list[tuple[str, list[Any]]]:
        return [
            (table, [row for row in rows if "w0-" in str(row)])
            for operation in operations
            for table, rows in (operation.content.items() if operation.kind in ("load", "delete") else ())
        ]

    alone, among_others = (of_first(history(7, platforms)) for platforms in ([0], range(3)))
    assert [each for each in among_others if each[1]] == alone
