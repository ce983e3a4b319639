"""Backfills on a real Cassandra: their units, repetition, and what becomes of one that is killed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassandra.concurrent import execute_concurrent_with_args

from activity_aggregates.errors import Unreachable
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.request.backfills import read_backfill
from activity_aggregates.request.scope import Scope
from activity_aggregates.run import applying, spark_work
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.store.ledger import APPLYING, DRY_RUN, LOST, SUCCEEDED, RunRecord
from activity_aggregates.store.records import counted
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.harness.leases import held
from tests.harness.records import left_by_a_killed_run


@pytest.fixture
def world(made: Environment, tmp_path: Path) -> World:
    """Two courses; three batches of the first have a learner each, and one of the second."""
    made.empty()
    made.store.load("content_hierarchy", {name: {"course": name, "children": ["A", "B"]} for name in ("c1", "c2")})
    world = World(made, tmp_path)
    for batch, course in (("b1", "c1"), ("b2", "c1"), ("b3", "c1"), ("b4", "c2")):
        world.enrol(batch, course, f"u-{batch}")
    return world


class World:
    """An environment and what the tests do in it."""

    def __init__(self, made: Environment, folder: Path) -> None:
        self.made = made
        self.folder = folder
        self.conf = made.configure({"lease": {"ttl": 6}}, folder)

    def enrol(self, batch: str, course: str, *users: str) -> None:
        table = f"{self.made.sources}.user_enrolments"
        insert = self.made.session.prepare(
            f"INSERT INTO {table} (userid, courseid, batchid, status, lastcontentaccesstime) VALUES (?, ?, ?, 1, 0)"
        )
        execute_concurrent_with_args(self.made.session, insert, [(user, course, batch) for user in users])

    def record(self, scope: dict[str, list[str]], **keys: Any) -> Path:
        file = self.folder / "2026-01-01-again.yaml"
        given = {"reason": "a test", "owner": "tests", "status": "approved", "scope": scope, **keys}
        file.write_text(yaml.safe_dump(given), "utf-8")
        return file

    def backfill(self, file: Path, *arguments: str) -> int:
        return main(["backfill", str(file), *arguments, "--conf", str(self.conf)])

    def contexts(self) -> list[str]:
        rows = self.made.session.execute(f"SELECT context_id FROM {self.made.targets}.activity_user_agg")
        return sorted(row.context_id for row in rows)

    def runs(self) -> list[RunRecord]:
        """Oldest first."""
        return self.made.ledger.recent(100)[::-1]


def test_the_contexts_named_are_done_one_by_one_and_then_refused_until_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    file = world.record({"contexts": ["cb:b2", "cb:b1"]})
    with held(world.made.session, LeaseTicket(world.made.targets, "aggregate_lease", "other", ttl=60)):
        assert world.backfill(file) == 0
    said = capsys.readouterr().out
    assert "run other (it has just begun) is under way" in said
    assert "backfill 2026-01-01-again is not finished: what is left was not looked at, start it again" in said

    killed = left_by_a_killed_run(read_backfill(file).command, Scope(contexts=frozenset({"cb:b1"})))
    world.made.ledger.save(killed)  # while it computed: its unit is done anew
    assert world.backfill(file) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "backfill 2026-01-01-again: 3 units done, 4 rows written"
    assert world.contexts() == ["cb:b1", "cb:b2"]
    first, *others = world.runs()
    assert (first.run_id, first.status) == (killed.run_id, LOST)
    assert [(run.scope.describe(), run.unit, run.status) for run in others] == [
        ("cb:b1", "contexts", SUCCEEDED),
        ("cb:b2", "contexts", SUCCEEDED),
        ("2 contexts", "groups", SUCCEEDED),
    ]
    assert len({(run.write_time, run.staging_dir) for run in others}) == 1, "they were computed once"
    changed = [{name: rows for name, rows in counted(run.counts, "added").items() if rows} for run in others]
    of_context = {"activity_user_agg": 1, "activity_agg": 1, "activity_catalog": 1}
    assert changed == [of_context, of_context, {"activity_metadata": 1}], "each counts what is its own"
    assert {run.command.partition("@")[0] for run in others} == {"backfill 2026-01-01-again"}

    assert world.backfill(file) == 2
    assert f"is finished, its last run was {others[-1].run_id}: to do all of it once" in capsys.readouterr().err
    assert world.backfill(file, "--again") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "backfill 2026-01-01-again: 1 units done, 0 rows written"
    assert len(world.runs()) == 5
    assert world.backfill(file) == 2


def test_only_an_approved_one_writes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    file = world.record({"contexts": ["cb:b1", "cb:b2"]}, status="proposed")
    assert world.backfill(file) == 2
    assert "is proposed, and only one that is approved writes" in capsys.readouterr().err
    assert world.backfill(file, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "unit cb:b1: 3 rows would change",  # of a learner, the course and the catalog
        "unit cb:b2: 3 rows would change",
        "unit of the groups: 1 rows would change",  # of the course's metadata
        "backfill 2026-01-01-again: 3 units, nothing was written",
    ]
    assert world.contexts() == []
    assert {run.status for run in world.runs()} == {DRY_RUN}


def test_activities_and_a_window_find_their_contexts(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    in_time = {"courseid": "c1", "batchid": "b3", "userid": "u-b3", "completedon": "2026-01-05T00:00:00Z"}
    world.made.store.load("user_enrolments", [in_time])
    course = {"activity_type": "Course", "activity_id": "c2", "course_id": "c2"}
    world.made.store.load("activity_catalog", [{**course, "context_id": "cb:b9"}])  # nobody is enrolled there any more

    def found(scope: dict[str, list[str]], **keys: Any) -> list[str]:
        assert world.backfill(world.record(scope, **keys), "--dry-run") == 0
        said = capsys.readouterr().out
        return re.findall(r"^unit (cb:\S+): [1-9]\d* rows would change$", said, re.MULTILINE)

    window = {"from": "2026-01-05", "to": "2026-01-06"}
    assert found({"activities": ["c1", "Course:c2"]}, window=window) == ["cb:b3"]
    assert found({"activities": ["Course:c2"]}) == ["cb:b4", "cb:b9"]


def test_groups_are_one_unit(world: World) -> None:
    for group in ("g1", "g2"):
        world.made.store.load("group", [{"id": group, "activities": [{"id": "c1", "type": "Course"}]}])
    assert world.backfill(world.record({"groups": ["g1", "g2"]})) == 0
    assert [run.scope for run in world.runs()] == [Scope(groups=frozenset({"g1", "g2"}))]


def test_a_backfill_that_died_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = {"contexts": ["cb:b1", "cb:b2", "cb:b3"]}
    file = world.record(scope)
    with monkeypatch.context() as patched:
        patched.setattr(spark_work, "apply_staged_rows", dying_with("cb:b2"))
        assert world.backfill(file) == 3
    assert world.contexts() == ["cb:b1", "cb:b2"]
    died = world.runs()[-1]
    world.made.ledger.save(replace(died, status=APPLYING, finished_at=None))  # as one that could not say so
    world.record(scope, status="done")
    assert world.backfill(file) == 2
    world.record(scope)
    capsys.readouterr()
    assert world.backfill(file) == 0
    said = capsys.readouterr().out
    assert f"unit cb:b2: its run {died.run_id} stopped while it was writing, and goes on" in said
    assert "backfill 2026-01-01-again: 2 units are done already" in said
    assert said.splitlines()[-1] == "backfill 2026-01-01-again: 4 units done, 6 rows written"
    assert [run.scope.describe() for run in world.runs()] == ["cb:b1", "cb:b2", "cb:b3", "3 contexts"]
    assert {run.status for run in world.runs()} == {SUCCEEDED}
    assert world.contexts() == ["cb:b1", "cb:b2", "cb:b3"]


@pytest.mark.parametrize("last", ["cb:b1", "cb:b4"])
def test_what_was_done_before_a_backfill_died_still_reaches_groups_and_metadata(
    world: World, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    load = world.made.store.load
    load("group", [{"id": "g1", "status": "active", "activities": [{"id": "c1", "type": "Course"}]}])
    load("group_member", [{"groupid": "g1", "userid": "u-b1", "status": "active"}])
    file = world.record({"contexts": ["cb:b1", "cb:b4"]})
    with monkeypatch.context() as patched:
        patched.setattr(spark_work, "apply_staged_rows", dying_with(last))
        assert world.backfill(file) == 3
    assert world.backfill(file) == 0
    assert [row["user_id"] for row in world.made.store.stored("group_activity_user_agg")] == ["u-b1"]
    assert {row["activity_id"] for row in world.made.store.stored("activity_metadata")} == {"c1", "c2"}


def test_a_unit_that_has_emptied_its_context_is_done_and_its_groups_follow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is started again no row says any more that the context was there, nor who was in it."""
    load = world.made.store.load
    load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    load("group_member", [{"groupid": "g1", "userid": "u-b1", "status": "active"}])
    assert main(["run", "--conf", str(world.conf)]) == 0
    world.made.store.delete("user_enrolments", [{"userid": "u-b1", "courseid": "c1", "batchid": "b1"}])
    world.enrol("b4", "c2", "u-new")
    file = world.record({"contexts": ["cb:b1", "cb:b4"]})
    with monkeypatch.context() as patched:
        patched.setattr(spark_work, "apply_staged_rows", dying_with("cb:b1"))
        assert world.backfill(file) == 3
    assert world.backfill(file) == 0
    assert [row["agg"] for row in world.made.store.stored("group_activity_user_agg") if row["agg"]] == []
    assert main(["run", "--conf", str(world.conf)]) == 0
    assert world.runs()[-1].counts["written"] == 0


def dying_with(context_id: str) -> Callable[..., None]:
    """Writes, and does not come back from writing the unit of this context."""

    def apply(execution: Execution, *arguments: Any) -> None:
        applying.apply_staged_rows(execution, *arguments)
        if context_id in execution.record.scope.contexts:
            raise Unreachable("the store is gone: run again")

    return apply


def test_a_backfill_of_learners_without_a_base_is_refused_with_the_next_step(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.backfill(world.record({"users": ["u-b4"]})) == 2
    assert "no full run has succeeded yet" in capsys.readouterr().err
    assert world.contexts() == []
