"""What verify says, lists in a file, samples and reads back, on a real Cassandra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from activity_aggregates.store.ledger import DRY_RUN, SUCCEEDED, RunRecord
from activity_aggregates.store.records import RUN
from jobs.__main__ import main
from tests.harness.environment import Environment
from tests.harness.store import Snapshot

FAR_AHEAD = 4_102_444_800_000_000  # µs: in 2100
COUNTS = {"completedCount": 0.0, "startedCount": 0.0, "leafNodesCount": 2.0}
WANTED = {**COUNTS, "completionPercentage": 0.0, "completed": 0.0}  # of a learner who has done nothing yet


@pytest.fixture(scope="module")
def after_a_run(made: Environment, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """One course, a learner in each of eight batches, and a run over them."""
    made.empty()
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", "B"]}})
    enrolments = [{"userid": f"u{n}", "courseid": "c1", "batchid": f"b{n}", "status": 1} for n in range(8)]
    made.store.load("user_enrolments", enrolments)
    assert main(["run", "--conf", str(made.configure({}, tmp_path_factory.mktemp("run")))]) == 0
    return made.store.snapshot()


@pytest.fixture
def world(made: Environment, after_a_run: Snapshot, tmp_path: Path) -> World:
    made.restore(after_a_run)
    return World(made, made.configure({}, tmp_path))


class World:
    """An environment and what the tests do in it."""

    def __init__(self, made: Environment, conf: Path) -> None:
        self.made = made
        self.conf = conf

    def verify(self, *arguments: str) -> int:
        return main(["verify", *arguments, "--conf", str(self.conf)])

    def learner(self, number: int) -> dict[str, str]:
        place = {"activity_type": "Course", "activity_id": "c1"}
        return place | {"user_id": f"u{number}", "context_id": f"cb:b{number}"}

    def set(self, number: int, **agg: float) -> None:
        self.made.store.merge("activity_user_agg", [{**self.learner(number), "agg": agg}])

    def latest(self) -> RunRecord:
        record = self.made.ledger.latest()
        assert record is not None
        return record


def test_differences_are_told_by_kind_and_metric_the_largest_first_and_each_is_a_line_of_the_file(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.set(1, completedCount=2, completed=1)
    world.set(2, completedCount=9)
    world.made.store.delete("activity_user_agg", [world.learner(3)])
    world.set(9, score=5)
    catalog = {"activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1"}
    world.made.store.load("activity_catalog", [{**catalog, "course_id": "c2"}])
    out = tmp_path / "differences.jsonl"
    capsys.readouterr()
    assert world.verify("--out", str(out)) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "activity_user_agg: 4 rows differ: 1 missing, 1 extra, 2 different",
        "  completed: 1 missing, 1 different",
        "  completedCount: 1 missing, 2 different",
        "  completionPercentage: 1 missing",
        "  leafNodesCount: 1 missing",
        "  score: 1 extra",
        "  startedCount: 1 missing",
        "  missing Course c1 u3 cb:b3: "
        + ", ".join(f"{name} - -> {value:g}" for name, value in sorted(WANTED.items())),
        "  extra Course c1 u9 cb:b9: score 5 -> -",
        "  different Course c1 u2 cb:b2: completedCount 9 -> 0",
        "  different Course c1 u1 cb:b1: completed 1 -> 0, completedCount 2 -> 0",
        "activity_agg: no difference",
        "group_activity_agg: no difference",
        "group_activity_user_agg: no difference",
        "activity_metadata: no difference",
        "activity_catalog: 1 rows differ: 1 different",
        "  course_id: 1 different",
        '  different cb:b1 Course c1: course_id "c2" -> "c1"',
    ]
    assert "5 rows differ, more than --max-differences 0 allows: look at them above, then write" in said.err
    assert (world.latest().command, world.latest().status) == ("verify", DRY_RUN)
    lines = sorted((json.loads(line) for line in out.read_text("utf-8").splitlines()), key=json.dumps)
    missing = {name: (None, value) for name, value in WANTED.items()}
    one = {"completed": (1.0, 0.0), "completedCount": (2.0, 0.0)}
    assert lines == [
        difference("activity_catalog", "different", catalog, course_id=("c2", "c1")),
        difference("activity_user_agg", "different", world.learner(1), **one),
        difference("activity_user_agg", "different", world.learner(2), completedCount=(9.0, 0.0)),
        difference("activity_user_agg", "extra", world.learner(9), score=(5.0, None)),
        difference("activity_user_agg", "missing", world.learner(3), **missing),
    ]


def difference(table: str, kind: str, key: dict[str, str], **metrics: tuple[Any, Any]) -> dict[str, Any]:
    entries = {name: {"before": before, "after": after} for name, (before, after) in metrics.items()}
    return {"table": table, "kind": kind, "key": key, "metrics": entries}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.latest()
    assert world.verify("--out", str(tmp_path / "nowhere" / "out.jsonl")) == 2
    assert "name another file with --out" in capsys.readouterr().err
    assert world.latest() == before


def test_a_sample_is_a_part_of_the_contexts_and_always_the_same(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        world.set(number, completed=1)
    out = tmp_path / "out.jsonl"

    def sampled(share: str) -> set[str]:
        assert world.verify("--sample", share, "--max-differences", "8", "--out", str(out)) == 0
        return {json.loads(line)["key"]["context_id"] for line in out.read_text("utf-8").splitlines()}

    half = sampled("0.5")
    assert 0 < len(half) < 8
    assert "compared a sample of 0.5 of all contexts and groups" in capsys.readouterr().out
    assert half == sampled("0.5")
    assert world.latest().counts["sampled"] == 500_000
    assert world.verify("--sample", "0.5", "--repair") == 2
    assert world.verify("--sample", "0") == 2


def test_entries_that_a_later_writer_holds_are_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    row = "activity_type = 'Course' AND activity_id = 'c1' AND user_id = 'u1' AND context_id = 'cb:b1'"
    table = f"{world.made.targets}.activity_user_agg"
    world.made.session.execute(
        f"UPDATE {table} USING TIMESTAMP {FAR_AHEAD} SET agg = agg + {{'completed': 1, 'score': 3}} WHERE {row}"
    )
    world.made.session.execute(
        f"UPDATE {world.made.targets}.activity_metadata USING TIMESTAMP {FAR_AHEAD} "
        "SET metadata = metadata + {'status': 'Theirs'} WHERE activity_type = 'Course' AND activity_id = 'c1'"
    )
    world.set(2, completedCount=9)
    assert world.verify("--repair") == 1
    said = capsys.readouterr()
    assert "activity_user_agg Course c1 u1 cb:b1: completed is 1, not 0\n" in said.out
    assert "activity_user_agg Course c1 u1 cb:b1: score is 3, not -\n" in said.out
    assert 'activity_metadata Course c1: status is "Theirs", not ' in said.out
    assert "u2 cb:b2: completedCount is" not in said.out
    assert "3 entries hold what a later writer set" in said.err
    assert (world.latest().status, world.latest().counts["held"]) == (SUCCEEDED, 3)
    assert main(["run", "--incremental", "--conf", str(world.conf)]) == 0
    assert "left 3 stored entries that are newer than its snapshot" in capsys.readouterr().err
    assert (world.latest().command, world.latest().counts["held"]) == (RUN, 3), "by their dates they are the job's own"
