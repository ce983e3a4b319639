"""`report` and the metrics file, over records, rows and change sets that are written by hand; no Spark."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from cassandra.cluster import Session
from prometheus_client.parser import text_string_to_metric_families

from activity_aggregates.configuration import load
from activity_aggregates.errors import CheckFailed
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.lease import LeaseTicket
from activity_aggregates.store.ledger import Ledger, RunRecord
from activity_aggregates.watching.textfile import metrics_file_kept
from jobs.__main__ import main
from tests.harness.leases import held
from tests.harness.roles import JOB, TARGET, migrating

KEYSPACE = "report_test"
START = datetime(2026, 1, 31, 6, tzinfo=UTC)
COUNTS = {
    "read.enrolments": 200, "refused.missing_hierarchy": 5, "refused.progress.missing_key": 0, "written": 2,
    "stored.activity_agg": 9, "changed.activity_agg": 2, "written.activity_agg": 2, "retracted.activity_agg": 1,
    "newer.activity_agg": 0, "enrolled.activity_agg": 195, "completed.activity_agg": 60,
}  # fmt: skip
RUN = RunRecord(
    run_id="20260131T060000Z-aaaaaa", command="run", status="succeeded", staged=True, as_of=START, sequence=0,
    scope=Scope(), started_at=START, finished_at=START + timedelta(seconds=90), staging_dir="", counts=COUNTS,
    phases={"start Spark": 5.0, "read enrolments": 60.0, "compare activity_agg": 20.0}, settings_digest="d",
    code_version="1", message="",
)  # fmt: skip


@pytest.fixture(scope="module")
def conf(cassandra: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("report") / "conf.yaml"
    replication = {"class": "SimpleStrategy", "replication_factor": 1}
    path.write_text(yaml.safe_dump({"target": {"keyspace": KEYSPACE, "replication": replication}}))
    with migrating(cassandra, {TARGET: KEYSPACE}, JOB):
        assert main(["migrate", "--conf", str(path)]) == 0
    yield path
    cassandra.execute(f"DROP KEYSPACE {KEYSPACE}")


@pytest.fixture
def ledger(conf: Path, cassandra: Session) -> Ledger:
    cassandra.execute(f"DELETE FROM {KEYSPACE}.aggregate_runs WHERE year = {START.year}")
    for table in ("activity_agg", "activity_day_agg"):
        where = "activity_type = %s AND activity_id = %s AND context_id = %s"
        for row in cassandra.execute(f"SELECT activity_type, activity_id, context_id FROM {KEYSPACE}.{table}"):
            cassandra.execute(f"DELETE FROM {KEYSPACE}.{table} WHERE {where}", row)
    return Ledger(cassandra, KEYSPACE, "aggregate_runs")


def course(cassandra: Session, course_id: str, context: str, enrolled: float, completed: float) -> None:
    activity(cassandra, "Course", course_id, context, {"enrolledCount": enrolled, "completedCount": completed})


def activity(cassandra: Session, kind: str, activity_id: str, context: str, agg: dict[str, float]) -> None:
    cassandra.execute(
        f"UPDATE {KEYSPACE}.activity_agg SET agg = agg + %s "
        "WHERE activity_type = %s AND activity_id = %s AND context_id = %s",
        [agg, kind, activity_id, context],
    )


def day(cassandra: Session, context: str, day: str, agg: dict[str, float]) -> None:
    cassandra.execute(
        f"UPDATE {KEYSPACE}.activity_day_agg SET agg = agg + %s "
        "WHERE activity_type = 'Course' AND activity_id = 'c1' AND context_id = %s AND day = %s",
        [agg, context, day],
    )


def named(cassandra: Session, kind: str, activity_id: str, name: str) -> None:
    cassandra.execute(
        f"INSERT INTO {KEYSPACE}.activity_metadata (activity_type, activity_id, metadata) VALUES (%s, %s, %s)",
        [kind, activity_id, {"name": name}],
    )


def page(conf: Path, tmp_path: Path, run: str = "last") -> str:
    out = tmp_path / "page.html"
    assert main(["report", run, "--out", str(out), "--conf", str(conf)]) == 0
    return out.read_text("utf-8")


def as_json(conf: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["report", "last", "--json", "--conf", str(conf)]) == 0
    return json.loads(capsys.readouterr().out)


def samples(path: Path) -> dict[str, float]:
    """Values by name and labels but the target, in the order of their names, as Prometheus' own parser reads it."""
    return {
        " ".join([each.name, *(value for label, value in sorted(each.labels.items()) if label != "target")]): each.value
        for family in text_string_to_metric_families(path.read_text("utf-8"))
        for each in family.samples
    }


def test_a_page_loads_nothing_and_runs_nothing(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    ledger.save(RUN)
    assert not re.search(r"<script|<link|<img|<iframe|\ssrc=|\shref=|url\(|https?:", page(conf, tmp_path))


def test_what_comes_from_the_data_is_escaped(conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path) -> None:
    ledger.save(replace(RUN, message="<script>alert(1)</script>"))
    course(cassandra, "<b>c1</b>", "cb:b1", 4, 1)
    text = page(conf, tmp_path)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;c1&lt;/b&gt;" in text
    assert "<b>" not in text


def test_phases_are_shown_in_the_order_of_the_run(
    conf: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    assert list(as_json(conf, capsys)["run"]["phases"].items()) == list(RUN.phases.items())


def test_refusals_and_rows_are_told_by_reason_and_by_table(
    conf: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    found = as_json(conf, capsys)
    assert found["refusals"] == [{"source": "enrolments", "reason": "missing_hierarchy", "rows": 5}]
    assert found["rows_by_table"] == [
        {"table": "activity_agg", "stored": 9, "changed": 2, "written": 2, "retracted": 1, "newer": 0}
    ]


def test_the_batches_of_a_course_are_added_up_by_the_steps_that_learners_have_come_to(
    conf: Path, ledger: Ledger, cassandra: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    reached = {"startedCount": 3.0, "reached25Count": 2.0, "reached50Count": 2.0, "reached75Count": 1.0}
    activity(cassandra, "Course", "c1", "cb:b1", {"enrolledCount": 3.0, "completedCount": 1.0} | reached)
    course(cassandra, "c1", "cb:b2", 5, 3)
    course(cassandra, "c2", "cb:b3", 2, 0)
    named(cassandra, "Course", "c1", "Chemistry")
    found = as_json(conf, capsys)["completion"]
    assert found["all"]["enrolled"] == 10
    assert found["largest"] == [
        {
            "course_id": "c1", "name": "Chemistry", "enrolled": 8, "started": 3, "reached25": 2, "reached50": 2,
            "reached75": 1, "completed": 4, "percentage": 50.0,
        },
        {
            "course_id": "c2", "name": "c2", "enrolled": 2, "started": 0, "reached25": 0, "reached50": 0,
            "reached75": 0, "completed": 0, "percentage": 0.0,
        },
    ]  # fmt: skip


def test_learners_of_a_quiz_are_told_by_what_they_reached(
    conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    taken = {"startedCount": 10.0, "reached25Count": 9.0, "reached50Count": 5.0, "reached75Count": 2.0}
    activity(cassandra, "Quiz", "q1", "cb:b1", taken)
    activity(cassandra, "Quiz", "q1", "g:g1", {"startedCount": 1.0, "reached25Count": 0.0})
    named(cassandra, "Quiz", "q1", "Acids")
    assert as_json(conf, capsys)["scores"] == {
        "all": {"below25": 2, "from25": 4, "from50": 3, "from75": 2},
        "most_taken": [{"quiz_id": "q1", "name": "Acids", "below25": 2, "from25": 4, "from50": 3, "from75": 2}],
        "quizzes": 1,
    }
    assert "Acids" in page(conf, tmp_path)


def test_no_scores_are_shown_where_the_family_is_off(
    conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path
) -> None:
    ledger.save(RUN)
    activity(cassandra, "Quiz", "q1", "cb:b1", {"enrolledCount": 2.0, "startedCount": 1.0})
    assert "No scores of quizzes are stored" in page(conf, tmp_path)


def test_days_are_those_of_all_batches_and_none_of_the_future(
    conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    course(cassandra, "c1", "cb:b1", 3, 1)
    course(cassandra, "c1", "cb:b2", 1, 0)
    day(cassandra, "cb:b1", "2026-01-05", {"enrolledCount": 2.0})
    day(cassandra, "cb:b2", "2026-01-05", {"enrolledCount": 1.0})
    day(cassandra, "cb:b1", "2026-01-07", {"completedCount": 1.0, "lastActiveCount": 3.0})
    day(cassandra, "cb:b1", "2999-01-01", {"enrolledCount": 1.0})
    assert as_json(conf, capsys)["days"] == [
        {"day": "2026-01-05", "enrolled": 3, "completed": 0, "last_active": 0},
        {"day": "2026-01-06", "enrolled": 0, "completed": 0, "last_active": 0},
        {"day": "2026-01-07", "enrolled": 0, "completed": 1, "last_active": 3},
    ]
    assert "<title>2026-01-05: 3</title>" in page(conf, tmp_path)


def test_no_days_are_shown_where_the_family_is_off(
    conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path
) -> None:
    ledger.save(RUN)
    course(cassandra, "c1", "cb:b1", 3, 1)
    day(cassandra, "cb:b1", "2026-01-05", {"enrolledCount": 2.0})
    out = tmp_path / "page.html"
    off = ["--set", "metrics.families=[completion]"]
    assert main(["report", "last", "--out", str(out), "--conf", str(conf), *off]) == 0
    assert "Day by day" not in out.read_text("utf-8")


def test_limits_stand_beside_what_a_run_came_to(conf: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.save(replace(RUN, counts=COUNTS | {"read.enrolments": 50, "refused.missing_hierarchy": 5}))
    assert as_json(conf, capsys)["limits"] == [
        {
            "name": "refused_share", "table": "enrolments", "rows": 5, "of": 50, "share": 0.1, "allowed": 0.2,
            "floor": 0,
        },
        {
            "name": "retracted_share", "table": "activity_agg", "rows": 1, "of": 9, "share": 0.111111, "allowed": 0.1,
            "floor": 1000,
        },
    ]  # fmt: skip


def test_the_staged_changes_are_shown_with_names_while_they_are_there(
    conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "changes" / "others"
    folder.mkdir(parents=True)
    key = {"activity_type": ["Course"], "activity_id": ["c1"], "context_id": ["cb:b1"]}
    metrics = {"enrolledCount": [31.0], "was_enrolledCount": pa.nulls(1, pa.float64())}
    pq.write_table(
        pa.table({"table": ["activity_agg"], **key, **metrics, "is_changed": [True]}), folder / "part.parquet"
    )
    ledger.save(replace(RUN, staging_dir=f"file:{tmp_path}/run"))
    named(cassandra, "Course", "c1", "Chemistry")
    text = page(conf, tmp_path)
    assert "<strong>31</strong>" in text
    assert "<strong>Chemistry</strong><br><span>Course</span> <span>c1</span> <span>cb:b1</span>" in text


def test_a_page_says_that_the_staged_changes_are_gone(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    ledger.save(replace(RUN, staging_dir=f"file:{tmp_path}/pruned"))
    assert "The staged changes of this run are gone" in page(conf, tmp_path)


def test_runs_are_drawn_by_command_a_backfill_without_its_record(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    hourly = replace(RUN, run_id="20260131T070000Z-bbbbbb", command="run --incremental", status="failed")
    unit = replace(RUN, run_id="20260131T080000Z-cccccc", command="backfill 2026-01-31-again@1a2b")
    only_compared = replace(RUN, run_id="20260131T090000Z-dddddd", status="dry_run")
    for hours, run in enumerate([RUN, hourly, unit, only_compared]):
        ledger.save(
            replace(run, started_at=START + timedelta(hours=hours), finished_at=START + timedelta(hours=hours + 1))
        )
    text = page(conf, tmp_path)
    headings = re.findall(r"<h3>(backfill.*|run.*)</h3>", text)
    assert headings == ["run", "backfill", "run --incremental"]
    assert re.findall(r'<rect class="bad" [^>]*><title>(.*?)</title>', text) == [
        "2026-01-31 07:00: 1 h 0 min",
        "2026-01-31 07:00: 2",
    ]


def test_a_run_that_ended_at_its_start_has_a_page(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    ledger.save(replace(RUN, status="failed", counts={}, phases={}, finished_at=None, message="lost"))
    text = page(conf, tmp_path)
    assert "The run ended before it compared a table." in text
    assert "It failed before its first phase had ended: lost" in text


def test_a_run_that_failed_claims_nothing_of_what_it_did_not_compare(
    conf: Path, ledger: Ledger, tmp_path: Path
) -> None:
    counts = COUNTS | {"changed.activity_agg": 0}
    ledger.save(replace(RUN, counts=counts))
    assert "Nothing differed from what was stored." in page(conf, tmp_path)
    ledger.save(replace(RUN, status="failed", counts=counts, message="Py4JJavaError: o1.count\n\tat Java"))
    text = page(conf, tmp_path)
    assert "Nothing differed" not in text
    assert "In the tables that the run compared before it ended, nothing differed" in text


def test_the_history_of_a_run_ends_with_it(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    later = replace(RUN, run_id="20260201T060000Z-bbbbbb", started_at=START + timedelta(days=1))
    ledger.save(RUN)
    ledger.save(later)
    assert later.run_id not in page(conf, tmp_path, RUN.run_id)
    assert RUN.run_id in page(conf, tmp_path, later.run_id)


@pytest.mark.parametrize("command", [["report", "last"], ["report", "no-such-run"], ["runs", "last"]])
def test_a_run_that_is_not_there_is_a_bad_argument(
    conf: Path, ledger: Ledger, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--conf", str(conf)]) == 2
    assert command[1] in capsys.readouterr().err


@pytest.mark.parametrize("command", [["report", "last", "--out"], ["runs", "--prometheus"]])
def test_a_file_that_cannot_be_written_is_a_bad_argument(
    conf: Path, ledger: Ledger, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.save(RUN)
    out = str(tmp_path / "no" / "such" / "folder.prom")
    assert main([*command, out, "--conf", str(conf)]) == 2
    assert out in capsys.readouterr().err


def test_a_keyspace_without_tables_asks_for_migrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "last", "--set", "target.keyspace=nothing_here"]) == 1
    assert "run `activity-aggregates migrate`" in capsys.readouterr().err


def test_the_table_of_runs_says_what_was_called(conf: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    later = START + timedelta(hours=1)
    ledger.save(RUN)
    scope = Scope(contexts=frozenset({"cb:b1"}))
    unit = replace(RUN, run_id="b", command="backfill 2026-01-31-again@1a2b", scope=scope)
    ledger.save(replace(unit, as_of=later, started_at=later, finished_at=None, status="applying", counts={}))
    assert main(["runs", "--conf", str(conf)]) == 0
    header, newest, oldest, lag = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert header[0] == "run"
    assert [cell.strip() for cell in newest if cell.strip()] == [
        "b", "backfill 2026-01-31-again", "2026-01-31T07:00:00Z", "cb:b1", "applying", "-", "0", "0", "-", "0",
    ]  # fmt: skip
    assert [cell.strip() for cell in oldest if cell.strip()] == [
        RUN.run_id, "run", "2026-01-31T06:00:00Z", "full", "succeeded", "90", "200", "5", "2", "1",
    ]  # fmt: skip
    assert lag[0].startswith(f"the last full success, {RUN.run_id}, is as of ")


def test_metrics_tell_the_last_success_and_the_last_run_apart(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    later = START + timedelta(hours=1)
    failed = replace(RUN, run_id="f", command="run --incremental", status="failed", as_of=later, started_at=later)
    ledger.save(RUN)
    ledger.save(replace(failed, finished_at=failed.started_at + timedelta(seconds=7), counts={"read.enrolments": 3}))
    out = tmp_path / "runs.prom"
    assert main(["runs", "--prometheus", str(out), "--conf", str(conf)]) == 0
    found = samples(out)
    assert found["activity_aggregates_last_success_as_of_timestamp_seconds run"] == START.timestamp()
    assert found["activity_aggregates_last_success_timestamp_seconds run"] == START.timestamp() + 90
    assert found["activity_aggregates_last_success_duration_seconds run"] == 90
    assert found["activity_aggregates_last_run_status run succeeded"] == 1
    assert found["activity_aggregates_last_run_duration_seconds run --incremental"] == 7
    assert found["activity_aggregates_last_run_status run --incremental failed"] == 1
    assert found["activity_aggregates_last_run_status run --incremental succeeded"] == 0
    assert found["activity_aggregates_last_run_read_rows run --incremental enrolments"] == 3


def test_metrics_count_rows_and_refusals_also_where_there_are_none(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    ledger.save(RUN)
    out = tmp_path / "runs.prom"
    assert main(["runs", "--prometheus", str(out), "--conf", str(conf)]) == 0
    found = samples(out)
    assert found["activity_aggregates_last_run_written_rows run activity_agg"] == 2
    assert found["activity_aggregates_last_run_refused_rows run missing_hierarchy enrolments"] == 5
    assert found["activity_aggregates_last_run_refused_rows run missing_key progress"] == 0
    assert found["activity_aggregates_freshness_lag_seconds run"] > 0


def test_metrics_tell_who_holds_the_lease(conf: Path, ledger: Ledger, cassandra: Session, tmp_path: Path) -> None:
    out = tmp_path / "runs.prom"
    ledger.save(replace(RUN, status="applying", finished_at=None))
    name = "activity_aggregates_lease_since_timestamp_seconds run"
    with held(cassandra, LeaseTicket(KEYSPACE, "aggregate_lease", RUN.run_id, ttl=60)):
        assert main(["runs", "--prometheus", str(out), "--conf", str(conf)]) == 0
        assert samples(out)[name] == START.timestamp()
        ledger.save(replace(RUN, status="failed"))  # and has left its lease to expire
        assert main(["runs", "--prometheus", str(out), "--conf", str(conf)]) == 0
        assert name not in samples(out)


def test_the_metrics_file_is_written_also_after_a_run_that_failed(conf: Path, ledger: Ledger, tmp_path: Path) -> None:
    ledger.save(replace(RUN, status="stopped"))
    out = tmp_path / "runs.prom"
    configuration = load(conf, os.environ, {"prometheus.textfile": str(out)})
    with pytest.raises(CheckFailed), metrics_file_kept(configuration, os.environ):
        raise CheckFailed("a limit was passed")
    assert samples(out)["activity_aggregates_last_run_status run stopped"] == 1


def test_a_metrics_file_that_cannot_be_written_does_not_fail_the_run(
    conf: Path, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = load(conf, os.environ, {"prometheus.textfile": str(tmp_path / "no" / "runs.prom")})
    with metrics_file_kept(configuration, os.environ):
        pass
    assert "the metrics file stays as it was" in caplog.text
