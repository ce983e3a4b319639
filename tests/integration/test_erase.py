"""Learners who are erased are gone from everything, and stay away, on a real Cassandra."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.choosing import choose
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.errors import Unreachable
from activity_aggregates.run.erasing import SparkRows
from activity_aggregates.store.ledger import APPLYING, DRY_RUN, LOST, SUCCEEDED, RunRecord
from jobs.__main__ import main
from tests.harness.api import ACTIVITY, EARLIER, GROUP, api_settings, key_pair, refusal, result, served
from tests.harness.environment import Environment
from tests.harness.execution import Said, said
from tests.harness.store import Snapshot
from tests.harness.waiting import wait_until

GONE, STAYS = "learner-who-goes", "learner-who-stays"
SECRET, OTHER_SECRET = "Staples-for-the-battery-horse", "Another-horse-and-battery"
LEARNER_TABLES = ("activity_user_agg", "group_activity_user_agg")
COURSE = {"activity_type": "Course", "activity_id": "c1"}
FOREIGN = {"agg": {"pageViews": 7}}


@dataclass(frozen=True)
class Story:
    """A first run, one for the learner alone, and the erase that they are followed by, tried first.

    The one for the learner is as an earlier version recorded it, and the first run had died while it wrote.
    """

    computed: Snapshot
    asked: RunRecord  # as this version records it
    ledger: str
    named: str  # in the ledger, before the erase
    before: dict[str, list[dict[str, Any]]]
    tried: Said
    of_trying: RunRecord
    after_trying: dict[str, list[dict[str, Any]]]
    died: RunRecord
    erase: Said
    record: RunRecord
    staged: list[Path]
    erased: Snapshot


@pytest.fixture(scope="module")
def story(made: Environment, tmp_path_factory: pytest.TempPathFactory) -> Story:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ERASED_SECRET", SECRET)
        return told(made, World(made, tmp_path_factory.mktemp("story")))


def told(made: Environment, world: World) -> Story:
    fill(made)
    assert world.run() == 0
    died, computed = world.latest(), made.store.snapshot()
    assert world.run("--user", GONE, "--dry-run") == 0
    asked, ledger = world.latest(), repr(world.rows("aggregate_runs"))
    world.rewrite(asked, scope=f'{{"users": ["{GONE}"]}}')
    named, before = repr(world.rows("aggregate_runs")), world.tables_of_learners()
    (world.conf.parent / "users.txt").write_bytes(f"\ufeff{GONE}\r\n".encode())  # as a spreadsheet saves it
    tried = said(world.erase, "--dry-run")
    of_trying, after_trying = world.latest(), world.tables_of_learners()
    world.rewrite(died, status=APPLYING)
    erase = said(world.erase, "--set", "limits.retracted_share=0.1", "--wait", "60")
    return Story(
        computed, asked, ledger, named, before, tried, of_trying, after_trying, died, erase, world.latest(),
        world.staged(), made.store.snapshot(),
    )  # fmt: skip


@pytest.fixture
def place(made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The environment as it was left, and the secret."""
    monkeypatch.setenv("ERASED_SECRET", SECRET)
    return World(made, tmp_path)


@pytest.fixture
def world(place: World) -> World:
    """Two learners of one course and group who have done the same; other writers' entries; nothing has run."""
    fill(place.made)
    return place


@pytest.fixture
def computed(place: World, story: Story) -> World:
    """The world after its first run."""
    place.made.restore(story.computed)
    return place


@pytest.fixture
def erased(place: World, story: Story) -> World:
    """The world after the one was erased."""
    place.made.restore(story.erased)
    return place


def fill(made: Environment) -> None:
    made.empty()
    load = made.store.load
    load("content_hierarchy", {"c1": {"course": "c1", "children": ["A", {"unit": "unit1", "children": ["B"]}]}})
    for user in (GONE, STAYS):
        load("user_enrolments", [{"userid": user, "courseid": "c1", "batchid": "b1", "status": 1}])
        row = {"userid": user, "courseid": "c1", "batchid": "b1"}
        done = [{**row, "contentid": content, "status": status} for content, status in (("A", 2), ("B", 2), ("C", 7))]
        load("user_content_consumption", done)
        attempt = {"user_id": user, "course_id": "c1", "batch_id": "b1", "content_id": "Q", "attempt_id": "1"}
        load("assessment_aggregator", [{**attempt, "total_score": 1, "total_max_score": 2}])
        load("group_member", [{"groupid": "g1", "userid": user, "status": "active", "role": "member"}])
    load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    merge = made.store.merge
    merge(
        "activity_user_agg", [{**COURSE, "user_id": user, "context_id": "cb:b1", **FOREIGN} for user in (GONE, STAYS)]
    )
    merge(
        "activity_user_agg",
        [{"activity_type": "Other", "activity_id": "o1", "user_id": GONE, "context_id": "x", **FOREIGN}],
    )
    merge(
        "group_activity_user_agg", [{"group_id": "g1", **COURSE, "user_id": user, **FOREIGN} for user in (GONE, STAYS)]
    )


class World:
    """An environment and what the tests do in it."""

    def __init__(self, made: Environment, folder: Path) -> None:
        self.made = made
        self.conf = made.configure({"lease": {"ttl": 6}, "erased": {"secret_env": "ERASED_SECRET"}}, folder)
        (folder / "users.txt").write_text(f"{GONE}\n")

    def run(self, *arguments: str) -> int:
        return main(["run", *arguments, "--conf", str(self.conf)])

    def erase(self, *arguments: str) -> int:
        return main(["erase", *self.erase_arguments, *arguments])

    @property
    def erase_arguments(self) -> list[str]:
        return ["--users-file", str(self.conf.parent / "users.txt"), "--conf", str(self.conf)]

    def settings(self, **sections: Any) -> Path:
        """The configuration file with further settings."""
        conf = self.conf.parent / "more.yaml"
        conf.write_text(yaml.safe_dump({**yaml.safe_load(self.conf.read_text()), **sections}))
        return conf

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.made.store.stored(table)

    def users(self, table: str) -> set[str]:
        return {row["user_id"] for row in self.rows(table)}

    def counts(self, table: str) -> dict[str, dict[str, float]]:
        """The maps of a table by activity, in the context that both were in."""
        return {row["activity_id"]: row["agg"] for row in self.rows(table) if row.get("context_id") in (None, "cb:b1")}

    def latest(self) -> RunRecord:
        record = self.made.ledger.latest()
        assert record is not None
        return record

    def tables_of_learners(self) -> dict[str, list[dict[str, Any]]]:
        """The rows, and who was erased."""
        return {table: self.rows(table) for table in (*LEARNER_TABLES, "aggregate_erased")}

    def rewrite(self, run: RunRecord, **column: str) -> None:
        """Have the ledger hold something else of a run."""
        ((name, value),) = column.items()
        table, where = f"{self.made.targets}.aggregate_runs", "WHERE year = %s AND started_at = %s AND run_id = %s"
        key = [run.started_at.year, run.started_at, run.run_id]
        self.made.session.execute(f"UPDATE {table} SET {name} = %s {where}", [value, *key])

    def staged(self) -> list[Path]:
        return list(self.conf.parent.glob("runs/*"))

    def all_text(self) -> str:
        """Every row of the tables that the software writes."""
        names = (*LEARNER_TABLES, "activity_agg", "group_activity_agg", "activity_metadata", "activity_catalog")
        kept = ("aggregate_runs", "aggregate_quarantine", "aggregate_erased", "aggregate_lease")
        return repr([self.rows(table) for table in (*names, *kept)])

    def assert_erased(self) -> None:
        """Nothing is left of the one, and what is said of both together is of the other alone."""
        assert GONE not in self.all_text()
        assert [self.users(table) for table in LEARNER_TABLES] == [{STAYS}, {STAYS}]
        assert self.counts("activity_user_agg")["c1"]["pageViews"] == 7
        assert {activity: agg["enrolledCount"] for activity, agg in self.counts("activity_agg").items()} == {
            "c1": 1,
            "unit1": 1,
            "Q": 1,
        }
        group = self.counts("group_activity_agg")["c1"]
        assert (group["memberCount"], group["enrolledCount"], group["completedCount"]) == (1, 1, 1)
        assert self.staged() == []


def test_whole_rows_go_and_what_they_were_counted_in_is_computed_anew(erased: World, story: Story) -> None:
    erased.assert_erased()
    before = sum(row["user_id"] == GONE for table in LEARNER_TABLES for row in story.before[table])
    assert before == 5
    record = story.record
    assert (story.erase.code, record.command, record.status) == (0, "erase", SUCCEEDED)
    assert record.scope.describe() == "1 learner"
    assert story.erase.out.splitlines()[-1] == f"{before} rows erased, {record.counts['written']} rows written"
    assert "are read in full: no key begins with the learner" in story.erase.err
    assert GONE not in story.erase.out + story.erase.err
    assert story.staged == []
    assert record.counts["erased.aggregate_quarantine"] == 1
    quarantined = [row["row_key"] for row in erased.rows("aggregate_quarantine")]
    assert quarantined
    assert all(STAYS in key for key in quarantined)


def test_a_dry_run_counts_and_changes_nothing(story: Story) -> None:
    assert story.tried.out.splitlines() == [
        "dry run: nothing was erased",
        "1 of 1 ids were found",
        "activity_user_agg: 4 rows would be erased",
        "group_activity_user_agg: 1 rows would be erased",
        "aggregate_quarantine: 1 rows would be erased",
    ]
    assert (story.tried.code, story.of_trying.status) == (0, DRY_RUN)
    assert story.after_trying == story.before
    assert story.after_trying["aggregate_erased"] == []


def test_no_limit_stops_it_and_what_a_dead_run_has_staged_is_applied_before_it_or_never(
    erased: World, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"run {story.died.run_id} is lost: applying what it has staged first" in story.erase.err
    assert erased.run("--resume", story.died.run_id) == 2
    assert f"run {story.died.run_id} is succeeded and has no staged changes to apply" in capsys.readouterr().err


def test_the_ledger_names_nobody_whom_a_run_was_asked_for(erased: World, story: Story) -> None:
    assert story.asked.scope.describe() == "1 learner"
    assert GONE not in story.ledger
    assert erased.run("--user", GONE) == 2, "nobody of this name is there any more"
    assert GONE not in erased.all_text()


def test_the_first_erase_takes_the_ids_in_scopes_that_an_earlier_version_recorded(erased: World, story: Story) -> None:
    assert GONE in story.named
    assert GONE not in repr(erased.rows("aggregate_runs"))


def test_no_later_run_brings_them_back_although_the_sources_still_name_them(erased: World) -> None:
    erased.assert_erased()
    assert erased.run() == 0
    counts = erased.latest().counts
    assert (counts["written"], counts["read.enrolments"], counts["counted.erased_learners"]) == (0, 1, 1)
    erased.made.store.load("user_enrolments", [{"userid": GONE, "courseid": "c1", "batchid": "b2", "status": 2}])
    assert erased.run("--user", STAYS) == 0
    assert GONE not in erased.all_text()


def test_who_comes_back_while_a_run_reads_stays_away(erased: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the run looked for the erased, the sources did not name the one any more."""
    store = erased.made.store
    enrolment, member = {"userid": GONE, "courseid": "c1", "batchid": "b1"}, {"groupid": "g1", "userid": GONE}
    store.delete("user_enrolments", [enrolment])
    store.delete("group_member", [member])
    store.delete("user_content_consumption", [{**enrolment, "contentid": content} for content in "ABC"])
    attempt = {"user_id": GONE, "course_id": "c1", "batch_id": "b1", "content_id": "Q", "attempt_id": "1"}
    store.delete("assessment_aggregator", [attempt])

    def choose_after_the_return(inputs: Inputs) -> Choice:
        store.load("user_enrolments", [{**enrolment, "status": 1}])
        groups = [member, {**member, "groupid": "of nobody else"}]
        store.load("group_member", [{**each, "status": "active", "role": "member"} for each in groups])
        held = {"group_id": "g1", "content_id": "Q", "user_id": GONE, "total_score": 1, "total_max_score": 2}
        store.load("group_attempts", [{**held, "attempt_id": "1"}, {**held, "attempt_id": "2", "total_score": -1}])
        return choose(inputs)

    store.load("group", [{"id": "of nobody else", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    monkeypatch.setattr("activity_aggregates.run.stage.choose", choose_after_the_return)
    assert erased.run() == 0
    counts = erased.latest().counts
    assert (counts["counted.erased_learners"], counts["read.enrolments"], counts["written"]) == (0, 1, 1)
    assert GONE not in erased.all_text()
    sizes = {row["group_id"]: row["agg"]["memberCount"] for row in erased.rows("group_activity_agg")}
    assert sizes == {"g1": 1, "of nobody else": 0}


def test_erasing_again_takes_what_has_come_since_and_may_read_the_secret_from_a_file(
    erased: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    erased.made.store.merge("activity_user_agg", [{**COURSE, "user_id": GONE, "context_id": "cb:b9", **FOREIGN}])
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    monkeypatch.delenv("ERASED_SECRET")
    assert erased.erase("--set", f"erased.secret_file={file}") == 0
    assert erased.latest().counts["erased.activity_user_agg"] == 1
    assert erased.latest().counts["written"] == 0
    erased.assert_erased()


def test_without_the_secret_nothing_runs_once_somebody_was_erased(
    erased: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [run.run_id for run in erased.made.ledger.recent(10)]
    monkeypatch.delenv("ERASED_SECRET")
    capsys.readouterr()
    assert (erased.run(), erased.run("--dry-run"), erased.erase()) == (2, 2, 2)
    lacking = capsys.readouterr().err.splitlines()
    assert all("set the variable ERASED_SECRET or name a file in erased.secret_file" in line for line in lacking)
    monkeypatch.setenv("ERASED_SECRET", OTHER_SECRET)
    assert (erased.run(), erased.run("--dry-run"), erased.erase()) == (2, 2, 2)
    wrong = capsys.readouterr().err.splitlines()
    assert all("the variable ERASED_SECRET holds another secret than" in line for line in wrong)
    assert (len(lacking), len(wrong)) == (3, 3)
    assert [run.run_id for run in erased.made.ledger.recent(10)] == runs
    assert len(erased.rows("aggregate_erased")) == 2
    erased.assert_erased()


def test_without_a_secret_nobody_is_erased(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERASED_SECRET")
    assert world.erase() == 2
    assert world.rows("aggregate_erased") == []


def test_one_that_died_is_finished_by_the_same_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any run, so that it computes all who stay, also in contexts that the other was not in."""
    other = {"userid": STAYS, "courseid": "c1", "batchid": "b2", "status": 1}
    world.made.store.load("user_enrolments", [other])

    def lost(*_: object) -> int:
        raise Unreachable("the store is gone: run again")

    with monkeypatch.context() as patched:
        patched.setattr(SparkRows, "delete", lost)
        assert world.erase() == 3
    died = world.latest()
    world.made.ledger.save(replace(died, status=APPLYING, finished_at=None))  # as one that could not say so
    assert world.rows("aggregate_erased")
    assert GONE in world.all_text()
    assert world.erase("--wait", "60") == 0
    world.assert_erased()
    assert {row["context_id"] for row in world.rows("activity_agg")} == {"cb:b1", "cb:b2"}
    assert world.latest().settles == {died.run_id}
    before = world.made.ledger.get(died.run_id)
    assert before is not None
    assert before.status == LOST


def test_the_api_leaves_them_out_as_soon_as_it_knows_and_without_the_secret_answers_no_more(
    computed: World, tmp_path: Path
) -> None:
    keys = key_pair()
    conf = computed.settings(api={**api_settings(tmp_path, keys), "erased_seconds": 0.2})
    (tmp_path / "other").mkdir()
    same_conf = Path(shutil.copy(conf, tmp_path / "other"))
    asked = {"groupId": "g1", "activityId": "c1", "activityType": "Course"}
    with served(conf, keys) as api, served(same_conf, keys, environ={"ERASED_SECRET": ""}) as without:
        assert [member["id"] for member in api.activity(GONE, **asked)["members"]] == [GONE, STAYS]
        assert without.ask(GROUP, STAYS, groupId="g1").status_code == 200
        assert computed.erase() == 0
        wait_until(lambda: api.ask(GROUP, GONE, groupId="g1").status_code != 200)
        for path, question in ((GROUP, {"groupId": "g1"}), (ACTIVITY, asked), (EARLIER, asked)):
            assert refusal(api.ask(path, GONE, **question))[:3] == (403, "FORBIDDEN", "FORBIDDEN")
        assert [member["id"] for member in api.activity(STAYS, **asked)["members"]] == [STAYS]
        assert [member["userId"] for member in result(api.ask(EARLIER, STAYS, **asked))["members"]] == [STAYS]
        page = api.activity(STAYS, **asked, limit=1)
        assert ([member["id"] for member in page["members"]], "next" in page) == ([STAYS], False)
        wait_until(lambda: without.ask(GROUP, STAYS, groupId="g1").status_code == 503)
        assert "set the variable ERASED_SECRET" in without.errors.read_text()


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [("", "set the variable ERASED_SECRET"), (OTHER_SECRET, "the variable ERASED_SECRET holds another secret")],
)
def test_the_api_does_not_start_without_the_secret(
    erased: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: str,
    sentence: str,
) -> None:
    conf = erased.settings(api=api_settings(tmp_path, key_pair()))
    monkeypatch.setenv("ERASED_SECRET", secret)
    capsys.readouterr()
    assert main(["serve", "--conf", str(conf)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1), told.err
    assert sentence in told.err
