"""What can be known of the run directory before Spark starts: that executors see it, and that it can be written."""

from __future__ import annotations

import os
import re
import tempfile
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyspark

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.spark.session import is_one_machine, is_submitted, planned_master

_LOCAL = ("", "file")
_PATTERN = re.compile(r"[*?\[\]{}]")  # what Spark reads as a pattern of many paths
_HADOOP = re.compile(r"hadoop-client-api-([\d.]+)\.jar")
_OTHER_SPARK = ("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR")
_JAR_KEYS = ("spark.jars", "spark.jars.packages", "spark.driver.extraClassPath")
# Schemes of file systems, and the jar that brings each where Spark has it not itself.
_JARS = {
    "hdfs": None,
    "webhdfs": None,
    "swebhdfs": None,
    "viewfs": None,
    "s3a": "hadoop-aws",
    "abfs": "hadoop-azure",
    "abfss": "hadoop-azure",
    "wasb": "hadoop-azure",
    "wasbs": "hadoop-azure",
    "gs": "gcs-connector",
    "o3fs": "ozone-filesystem",
    "ofs": "ozone-filesystem",
    "oss": "hadoop-aliyun",
    "cosn": "hadoop-cos",
}


def check_directory(setting: str, directory: str, is_shared: bool, spark: settings.Spark) -> None:
    """Refuse a directory, of this setting, that cannot be used, with what would be better.

    What only Spark knows, say whether an object store answers, shows when the directory is made.
    """
    scheme = urlsplit(directory).scheme
    if _PATTERN.search(directory) or directory in ("", f"{scheme}:"):
        raise BadRequest(f"{setting} is {directory!r}, which names no one folder: write a path without any of *?[]{{}}")
    if scheme not in _LOCAL:
        _check_scheme(setting, directory, scheme, spark)
        return
    master = planned_master(spark)
    if not is_one_machine(master) and not is_shared:
        raise BadRequest(
            f"{setting} is {directory!r}, which the executors of {master} cannot see: "
            "give a URI that they reach (hdfs:, s3a:), or set staging.shared if it is a folder that all of them mount"
        )
    _check_writable(setting, Path(unquote(urlsplit(directory).path) if scheme else directory))


def _check_writable(setting: str, directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise BadRequest(
            f"{setting} {directory} cannot be written ({error.strerror}): name a folder in which this user may write"
        ) from error


def _check_scheme(setting: str, directory: str, scheme: str, spark: settings.Spark) -> None:
    if any(key.endswith(f"fs.{scheme}.impl") for key in spark.conf):
        return
    if scheme not in _JARS:
        near = get_close_matches(scheme, _JARS, n=1)
        hint = f"the nearest is {near[0]}" if near else f"there are {', '.join(_JARS)}"
        raise BadRequest(
            f"{setting} {directory} has the scheme {scheme}, which is not known; {hint}. "
            f"Where a jar of your own brings it, name its class in spark.conf: spark.hadoop.fs.{scheme}.impl"
        )
    jar = _JARS[scheme]
    if jar and _names_all_jars(spark) and not any(jar in name for name in _jars(spark)):
        raise BadRequest(
            f"{setting} {directory} needs {jar}, which this Spark has not: add it to spark.packages{_as(jar)}"
        )


def _names_all_jars(spark: settings.Spark) -> bool:
    """Whether the settings do; neither what a cluster's own Spark has, nor what files of its own say, is known here."""
    is_told_elsewhere = any(variable in os.environ for variable in _OTHER_SPARK) or any(
        key in spark.conf for key in _JAR_KEYS
    )
    return not is_submitted() and not is_told_elsewhere


def _jars(spark: settings.Spark) -> list[str]:
    """Those that Spark brings, and those of the settings, by their names."""
    return [*_jars_of_spark(), *spark.jars, *spark.packages]


def _jars_of_spark() -> list[str]:
    return [jar.name for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar")]


def _as(jar: str) -> str:
    """How a jar of Hadoop itself is written there, whose version must be that of Spark's own."""
    own = next((found[1] for name in _jars_of_spark() if (found := _HADOOP.fullmatch(name))), None)
    return f", as org.apache.hadoop:{jar}:{own}" if own and jar.startswith("hadoop") else ""
