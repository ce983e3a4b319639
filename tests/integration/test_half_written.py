"""What a dead run or another writer has left half-done is put right whole, on a real Cassandra, also by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activity_aggregates.compute.lookups import LOOKED_UP
from activity_aggregates.store.ledger import APPLYING
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, AGGREGATE_TABLES
from jobs.__main__ import main
from tests.harness.by_key import prefer_keys
from tests.harness.environment import Environment
from tests.integration.test_erase import World

LEFT = {"userid": "leaves", "courseid": "c1", "batchid": "b1"}


@pytest.fixture
def world(made: Environment, tmp_path: Path) -> World:
    """Two learners of one batch, five of another, and a group of all of them; one run has counted them."""
    made.empty()
    load = made.store.load
    load("content_hierarchy", {course: {"course": course, "children": ["A"]} for course in ("c1", "c2")})
    others = [(f"other{number}", "c2", "b2") for number in range(5)]  # few are looked at, so not all are
    for user, course, batch in (("leaves", "c1", "b1"), ("stays", "c1", "b1"), *others):
        row = {"userid": user, "courseid": course, "batchid": batch}
        load("user_enrolments", [{**row, "status": 0}])
        load("user_content_consumption", [{**row, "contentid": "A", "status": 2}])
        load("group_member", [{"groupid": "g1", "userid": user, "status": "active"}])
    load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    place = World(made, tmp_path)
    assert place.run() == 0
    return place


def tables(world: World) -> dict[str, list[Any]]:
    """The maps of all tables by key; a row that was put back stays, without entries."""
    return {
        table.name: sorted(
            (*(row[column] for column in table.key), sorted(row["agg"].items()))
            for row in world.rows(table.name)
            if row["agg"]
        )
        for table in AGGREGATE_TABLES
    }


@pytest.mark.parametrize("left", [("activity_user_agg",), ("group_activity_agg", "group_activity_user_agg")])
def test_rows_of_who_has_left_go_that_a_dead_run_had_not_come_to(
    world: World, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    """Nothing names the learner any more: neither an enrolment nor, where the group's rows are left, a stored row."""
    prefer_keys(monkeypatch)
    before = world.made.store.snapshot()
    world.made.store.delete("user_enrolments", [LEFT])
    assert world.run("--context", "cb:b1") == 0
    right = tables(world)
    world.rewrite(world.latest(), status=APPLYING)
    world.made.store.restore({table: before[table] for table in left})
    assert tables(world) != right
    assert world.run("--context", "cb:b2") == 0
    assert world.run("--incremental") == 0
    assert tables(world) == right
    assert main(["verify", "--conf", str(world.conf)]) == 0


def test_no_count_that_another_writer_has_lowered_tells_how_many_rows_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefer_keys(monkeypatch)
    store = world.made.store
    store.delete("user_enrolments", [LEFT])
    course = {"activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1"}
    store.merge("activity_agg", [{**course, "agg": {"enrolledCount": 1}}])
    store.load("user_enrolments", [{"userid": "stays", "courseid": "c1", "batchid": "b1", "status": 1}])
    assert world.run("--incremental") == 0
    record = world.latest()
    assert record.counts["healed"] == 1
    assert record.counts[LOOKED_UP + ACTIVITY_USER_AGG.name] > 0
    assert {row["user_id"] for row in world.rows("activity_user_agg")} & {"stays", "leaves"} == {"stays"}
    assert world.counts("activity_agg")["c1"]["enrolledCount"] == 1
