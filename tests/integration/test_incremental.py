"""What incremental runs read, need and refuse, on a real Cassandra."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.sources.tables import ENROLMENTS, PROGRESS, TIMESPENT, Sources, SourceTable
from activity_aggregates.spark.results import Results
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.erased import NOBODY
from jobs.__main__ import main
from tests.harness.environment import Environment

PAIRS = ("user_id", "course_id", "batch_id")


@pytest.mark.parametrize("by_key", [True, False], ids=["by key", "by a scan"])
@pytest.mark.parametrize(
    ("table", "key"),
    [(PROGRESS, PAIRS), (ENROLMENTS, PAIRS[:1]), (TIMESPENT, PAIRS[:1])],
    ids=["progress", "enrolments", "timespent"],
)
def test_a_source_is_read_by_key_or_by_a_scan(
    spark: SparkSession, made: Environment, table: SourceTable, key: Sequence[str], by_key: bool, tmp_path: Path
) -> None:
    settings = load(made.configure({}, tmp_path), os.environ, {}).settings
    reached = connection(settings.cassandra, os.environ)
    plans, results = list[str](), Results(str(tmp_path))

    def keep(rows: DataFrame, name: str) -> DataFrame:
        plans.append(plan(rows))
        return results.keep(rows, name)

    sources = Sources(spark, settings.sources, spark_options(reached), NOBODY, connection=reached, keep=keep)
    keys = keep(spark.createDataFrame([("u1",) * len(key)], ", ".join(f"{name} string" for name in key)), "keys")
    plans.append(plan(sources.matching(table, keys, key, by_lookup=by_key)))
    assert any("Cassandra Direct Join [" in each for each in plans) == by_key
    assert any("Cassandra Scan" in each for each in plans) != by_key


def plan(rows: DataFrame) -> str:
    queried: Any = rows._jdf
    return str(queried.queryExecution().executedPlan().toString())


def test_a_scope_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--incremental", "--context", "cb:b1"]) == 2
    assert "the scope (cb:b1) and --incremental name different parts of everything" in said(capsys)


def test_files_say_themselves_when_they_were_changed(
    spark: SparkSession, made: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.empty()
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["A"]}})
    made.store.load(
        "user_content_consumption",
        [{"userid": user, "courseid": "c1", "batchid": "b1", "contentid": "A", "status": 2} for user in ("u1", "u2")],
    )
    file = str(tmp_path / "enrolments")
    source = {"format": "parquet", "path": file, "keyspace": None, "table": None}
    write_enrolments(spark, file, {"u1": datetime.now(UTC) - timedelta(days=1)})
    unnamed = made.configure({"sources": {"enrolments": source}}, tmp_path)
    assert main(["run", "--conf", str(unnamed)]) == 0
    assert main(["run", "--incremental", "--conf", str(unnamed)]) == 2
    assert f"enrolments ({file} has no write times: name a column as changed_at)" in said(capsys)
    named = made.configure({"sources": {"enrolments": {**source, "changed_at": "updated_on"}}}, tmp_path)
    write_enrolments(spark, file, {"u1": datetime.now(UTC) - timedelta(days=1), "u2": datetime.now(UTC)})
    assert main(["run", "--incremental", "--conf", str(named), "--set", "incremental.lookback=60"]) == 0
    assert {row["user_id"] for row in made.store.stored("activity_user_agg")} == {"u1", "u2"}
    record = made.ledger.latest()
    assert record is not None
    assert (record.counts["written.activity_user_agg"], record.counts["changed.activity_agg"]) == (1, 1)


def write_enrolments(spark: SparkSession, path: str, changed: Mapping[str, datetime]) -> None:
    rows = [(user, "c1", "b1", True, 1, None, None, None, when) for user, when in changed.items()]
    key = "userid string, courseid string, batchid string"
    dates = "completedon timestamp, enrolled_date timestamp, lastcontentaccesstime timestamp, updated_on timestamp"
    spark.createDataFrame(rows, f"{key}, active boolean, status int, {dates}").write.mode("overwrite").parquet(path)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err
