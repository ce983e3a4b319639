"""What Spark fails with, provoked in Spark itself, and the sentence that its user gets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from activity_aggregates.errors import BadRequest, CheckFailed, JobError, Unreachable
from activity_aggregates.spark.failures import job_error, writer_error
from activity_aggregates.spark.session import translated_spark
from metrics.trees.arrow import map_in_arrow


def unchanged(batches: Iterator[Any]) -> Iterator[Any]:
    return batches


@pytest.fixture
def hadoop_tries_once(spark: SparkSession) -> Iterator[None]:
    configuration, retries = spark._jsc.hadoopConfiguration(), "ipc.client.connect.max.retries"
    configuration.set(retries, "0")
    yield
    configuration.unset(retries)


@pytest.mark.usefixtures("hadoop_tries_once")
@pytest.mark.parametrize(
    ("path", "kind", "sentence"),
    [
        (
            "hdfs://127.0.0.1:1/runs",
            Unreachable,
            r"a file system did not answer \(Call From .* Connection refused\): check",
        ),
        ("hdfs://nowhere.invalid/runs", Unreachable, r"no machine is called nowhere\.invalid: correct the paths"),
        ("hdsf://x/runs", BadRequest, "no file system of the scheme hdsf"),
        ("s3a://bucket/runs", BadRequest, "add it to spark.packages, for s3a: org.apache.hadoop:hadoop-aws"),
        ("/nowhere/at/all", BadRequest, "there is nothing at file:/nowhere/at/all: correct the path"),
    ],
)
def test_a_file_system_that_is_not_there_is_not_called_cassandra(
    spark: SparkSession, path: str, kind: type[JobError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as told, translated_spark():
        spark.read.schema("a int").parquet(path).count()
    assert "Cassandra" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_stored_date_that_spark_cannot_hold_is_told_of(spark: SparkSession, tmp_path: Path) -> None:
    """As the connector, so the reader of Parquet fails."""
    pq.write_table(pa.table({"dates": pa.array([2**62], pa.timestamp("ms", "UTC"))}), tmp_path / "dates")
    dates = spark.read.parquet(f"file:{tmp_path}/dates")
    with pytest.raises(CheckFailed, match="a date in agg_last_updated of a target table is beyond"), translated_spark():
        dates.selectExpr("max(dates)").collect()


def test_a_folder_below_a_file_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadRequest, match="a file system refused Spark"), translated_spark():
        spark.range(1).write.parquet(f"file:{tmp_path}/file/out")


def test_a_file_of_another_format_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("user_id,status\nu1,2\n")
    with pytest.raises(BadRequest, match=r"rows\.csv is not a Parquet file: correct its path"), translated_spark():
        spark.read.schema("user_id string").parquet(str(tmp_path)).count()


def test_another_python_on_executors_is_told_with_both_versions(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark.sparkContext, "pythonVer", "3.99")
    here = ".".join(map(str, sys.version_info[:2]))
    with pytest.raises(BadRequest, match=f"executors have Python {here} and the driver has 3.99"), translated_spark():
        map_in_arrow(spark.range(1), unchanged, "id long").collect()


def test_a_python_that_executors_have_not_is_named(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark.sparkContext, "pythonExec", "python3.99")
    with (
        pytest.raises(BadRequest, match=r"executors have no python3\.99: start"),
        translated_spark(),
    ):
        map_in_arrow(spark.range(1), unchanged, "id long").collect()


def test_a_module_that_executors_have_not_is_named(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    here_alone = ModuleType("here_alone")
    exec("def unchanged(batches): return batches", vars(here_alone))
    monkeypatch.setitem(sys.modules, "here_alone", here_alone)
    with pytest.raises(BadRequest, match="finds no here_alone: start Spark with --py-files"), translated_spark():
        map_in_arrow(spark.range(1), here_alone.unchanged, "id long").collect()


def test_a_jvm_that_has_gone_is_worth_another_attempt() -> None:
    with pytest.raises(Unreachable, match="Spark's JVM has ended"), translated_spark():
        raise ConnectionRefusedError(111, "Connection refused")


def test_a_jar_that_lacks_another_one_is_told_by_the_class() -> None:
    told = job_error(Py4JError("java.lang.NoClassDefFoundError: com/example/Driver\n\tat a.b"))
    assert isinstance(told, BadRequest)
    assert str(told).startswith("Spark's jars lack com/example/Driver, which one of them needs: start with --packages")


@pytest.mark.parametrize(
    "said",
    [
        "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: worker lost",
        "Job aborted due to stage failure: org.apache.spark.shuffle.MetadataFetchFailedException: Missing an output",
        "Job 7 cancelled because SparkContext was shut down",
    ],
)
def test_losing_executors_for_good_is_worth_another_attempt(said: str) -> None:
    assert isinstance(job_error(Py4JError(said)), Unreachable)


def test_what_a_writer_of_others_fails_with_is_about_it(spark: SparkSession) -> None:
    with pytest.raises(Py4JError) as caught:
        spark.range(1).write.format("jdbc").options(url="jdbc:nowhere://x", dbtable="t").mode("append").save()
    told = writer_error(caught.value, "events: nobody was told", "look at the options")
    assert isinstance(told, BadRequest)
    assert str(told) == "events: nobody was told (SQLException: No suitable driver): look at the options"


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        (
            ": org.a.SparkException: Job aborted\n\tat a.b(C)\nCaused by: com.x.AllNodesFailedException: No node",
            Unreachable,
            r"it failed \(AllNodesFailedException: No node\): look",
        ),
        (
            "Job aborted, most recent failure: Lost task 0.0 (TID 0) (executor 1): org.a.TimeoutException: No topic.\n",
            Unreachable,
            r"it failed \(TimeoutException: No topic\): look",
        ),
        (
            "x\nCaused by: org.apache.kafka.common.errors.SaslAuthenticationException: Login password=hush was refused",
            BadRequest,
            r"SaslAuthenticationException: Login password=\*\*\* was refused",
        ),
        ("ExecutorLostFailure (executor 1 exited) Reason: worker lost", Unreachable, "^executors were lost too often"),
    ],
)
def test_of_a_writer_of_others_the_innermost_reason_is_told(said: str, kind: type[JobError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        raise writer_error(Py4JError(said), "it failed", "look")


def test_a_bug_stays_one(spark: SparkSession) -> None:
    with pytest.raises(Py4JError, match="Method nonsense"), translated_spark():
        spark._jsc.nonsense()
