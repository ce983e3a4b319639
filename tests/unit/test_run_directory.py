"""What is wrong with a run directory is said before Spark starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activity_aggregates import settings
from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest
from activity_aggregates.spark.run_directory import check_directory


@pytest.fixture(autouse=True)
def own_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of another Spark in the environment."""
    for variable in ("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "PYSPARK_GATEWAY_PORT"):
        monkeypatch.delenv(variable, raising=False)


def check(directory: str | Path, shared: bool = False, **spark: Any) -> None:
    defaults: settings.Settings = load(None, {}, {}).settings
    staging = replace(defaults.staging, dir=str(directory), shared=shared)
    check_directory("staging.dir", staging.dir, staging.shared, replace(defaults.spark, **spark))


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    check(tmp_path / "a" / "b")
    check(f"file://{tmp_path}/with%20space")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "with space"]
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("directory", ["runs/{a,b}", "runs/*", "s3a://bucket/[ab]", "file:", ""])
def test_what_names_no_one_folder_is_refused(directory: str) -> None:
    with pytest.raises(BadRequest, match="which names no one folder"):
        check(directory)


@pytest.mark.parametrize("scheme", ["", "file:"])
def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadRequest, match=r"staging\.dir /.*/file/runs cannot be written \(Not a directory\): name a"):
        check(f"{scheme}{tmp_path}/file/runs")


def test_a_folder_that_executors_of_a_cluster_do_not_see_is_refused_unless_they_share_it(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="which the executors of yarn cannot see"):
        check(tmp_path, master="yarn")
    check(tmp_path, master="yarn", shared=True)
    check(tmp_path, master="local[4]")


def test_an_unknown_scheme_is_told_the_nearest_known_one() -> None:
    with pytest.raises(BadRequest, match="hdsf://nn/runs has the scheme hdsf, which is not known; the nearest is hdfs"):
        check("hdsf://nn/runs")


def test_a_scheme_of_the_operators_own_is_known_by_its_class() -> None:
    check("acme://x/runs", conf={"spark.hadoop.fs.acme.impl": "com.example.AcmeFileSystem"})


def test_an_object_store_without_its_jar_is_told_the_jar_in_the_version_of_sparks_hadoop() -> None:
    with pytest.raises(
        BadRequest, match=r"hadoop-aws, .* add it to spark\.packages, as org\.apache\.hadoop:hadoop-aws:3"
    ):
        check("s3a://bucket/runs")


@pytest.mark.parametrize(
    "spark",
    [
        {"packages": ["org.apache.hadoop:hadoop-aws:3.3.4"]},
        {"jars": ["/opt/jars/hadoop-aws-3.3.4.jar"]},
        {"conf": {"spark.driver.extraClassPath": "/opt/jars/*"}},
    ],
)
def test_an_object_store_is_let_through_where_its_jar_is_or_may_be(spark: dict[str, Any]) -> None:
    check("s3a://bucket/runs", **spark)


def test_what_a_cluster_has_of_its_own_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", "/etc/spark")
    check("s3a://bucket/runs")
