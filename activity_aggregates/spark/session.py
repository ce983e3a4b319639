"""The Spark session of a command: its own on one machine, or the one that spark-submit brings."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException, PySparkRuntimeError
from pyspark.sql import SparkSession

import activity_aggregates
from activity_aggregates import interrupts, logs, settings
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.spark.failures import job_error
from activity_aggregates.spark.jvm import ask_once, own_jvm
from activity_aggregates.spark.sizing import set_size

CONNECTOR = "com.datastax.spark:spark-cassandra-connector_2.12:3.5.1"
EXTENSION = "com.datastax.spark.connector.CassandraSparkExtensions"
_EXTENSIONS = "spark.sql.extensions"
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_LOG_FORM = "activity_aggregates.log"  # what conf/log4j2.properties goes by
_WORKERS_SEE = "spark.executorEnv.PYTHONPATH"
_SUPPORTED = "Spark 3.5 with Scala 2.12"
_STOP_SECONDS = 15
_CONNECTOR_CLASS = "com.datastax.spark.connector.cql.CassandraConnector"
_CONNECTOR_JAR = re.compile(r"spark-cassandra-connector_(?P<scala>[\d.]+)-(?P<version>\d+\.\d+)[^/]*\.jar")

# What the metrics rely on, whoever starts Spark: points in time as they are, also in files and of any century, for
# without this one date before 1900 in one row ends a run; and ids as they are also in the names of folders, where 0123
# would be a number.
REQUIRED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
# Rules that cut off a branch of a plan as soon as they see that nothing comes out of it: what was to be counted on the
# way through that branch would never be counted.
_UNWANTED_RULES = {
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.PropagateEmptyRelation",
    "spark.sql.adaptive.optimizer.excludedRules": "org.apache.spark.sql.execution.adaptive.AQEPropagateEmptyRelation",
}
# On one machine. Tasks that wait for a better place than the one there is would wait for ever: nothing wakes the local
# scheduler when the wait is over.
_LOCAL = {"spark.locality.wait": "0s"}
# Planning is most of a run over small sources. Plans are described as text at every step of every query, a sixth of it.
# What is known of columns that are made of dozens of others (one is not null, one is another) is worked out anew for
# each step, another sixth and more, and saves nothing here: conditions stand where they are wanted.
PLANNING = {
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "16384",
    "spark.sql.constraintPropagation.enabled": "false",
}
# What a cluster's own settings may overrule.
_PREFERRED = {
    **PLANNING,
    "spark.sql.autoBroadcastJoinThreshold": "64m",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "128",  # rows of hierarchies are megabytes
    "spark.ui.showConsoleProgress": "false",
}


# Under spark-submit no file of ours says what Spark's JVM logs: a thousand lines around twenty of a run.
_SUBMITTED = {"spark.log.level": "WARN"}


def is_one_machine(master: str) -> bool:
    """Whether executors and driver are one process."""
    return master == "local" or master.startswith("local[")


def open_spark(spark: settings.Spark, name: str, extended: bool = False) -> SparkSession:
    """The session, with the connector that the sources and targets need checked.

    Under spark-submit its flags win and `spark` in the settings only fills gaps; otherwise `spark` says all. Raises
    Unreachable where Spark does not start, BadRequest where SPARK_HOME names none, where its version and the
    connector's do not fit, or where it lacks the connector's extension and has to be `extended`: reading by key and
    write times need it. A session of the command's own has it always.
    """
    _check_home()
    conf = _conf(spark, name)
    try:
        with own_jvm(conf), translated_spark():
            return _session(conf, extended)
    except (PySparkRuntimeError, FileNotFoundError) as error:
        connector = ", ".join(spark.jars or spark.packages)
        raise Unreachable(
            "Spark's JVM did not start (its own words are above): check that JAVA_HOME names a Java 17"
            + (f" and that {connector} can be had" if connector else "")
        ) from error


def _check_home() -> None:
    """A SPARK_HOME that has gone stale wins over the Spark that is installed."""
    home = os.environ.get("SPARK_HOME")
    if home and not is_submitted() and not Path(home, "bin", "spark-submit").is_file():
        raise BadRequest(f"SPARK_HOME is {home}, where there is no bin/spark-submit: correct it, or unset it")


def _session(conf: SparkConf, extended: bool) -> SparkSession:
    """The session with what the metrics rely on; checked, and sized for any number of rows."""
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    interrupts.heed()
    ask_once()
    for key, value in REQUIRED.items():
        session.conf.set(key, value)
    for key, rule in _UNWANTED_RULES.items():
        excluded = str(session.conf.get(key, "") or "").split(",")
        session.conf.set(key, ",".join(sorted({rule, *excluded} - {""})))
    _check_versions(session)
    if extended and EXTENSION not in str(session.conf.get(_EXTENSIONS, "") or ""):
        raise BadRequest(
            f"an incremental run reads by key, which this Spark cannot: start it with --conf {_EXTENSIONS}={EXTENSION}"
        )
    set_size(session, None)
    return session


def stop_spark(session: SparkSession) -> None:
    """Stop Spark after an interrupt, tasks included.

    The connection that was interrupted is of no more use, so another thread, with one of its own, asks. Returns after
    `_STOP_SECONDS` at the latest: the JVM ends with this process anyway.
    """
    stopping = threading.Thread(target=session.stop, daemon=True)
    stopping.start()
    stopping.join(_STOP_SECONDS)


@contextmanager
def interruptible_spark(spark: settings.Spark, name: str) -> Iterator[SparkSession]:
    """The session of `open_spark` for a command that only reads, with Spark's failures translated.

    An interrupt stops its tasks and goes on as what it is, whatever the call that it cut off has raised.
    """
    session = None
    try:
        session = open_spark(spark, name)
        with translated_spark():
            yield session
    except (Exception, KeyboardInterrupt) as error:
        if not (interrupts.was_interrupted() or isinstance(error, KeyboardInterrupt)):
            raise
        if session is not None:
            stop_spark(session)
        raise KeyboardInterrupt from error


@contextmanager
def translated_spark() -> Iterator[None]:
    """Turns what Spark reports as lost, unreachable or misnamed into errors of the family; other errors are bugs."""
    try:
        yield
    except (Py4JError, PySparkException, ConnectionError) as error:
        translated = job_error(error)
        if translated is None:
            raise
        raise translated from error


def planned_master(spark: settings.Spark) -> str:
    """Where Spark will run: what spark-submit was told, else what the settings say."""
    if not is_submitted():
        return str(spark.conf.get("spark.master", spark.master))
    SparkContext._ensure_initialized()  # so that SparkConf sees spark-submit's flags
    return SparkConf().get("spark.master", spark.master) or spark.master


def is_submitted() -> bool:
    """Whether spark-submit has started this process, and so its JVM."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _conf(spark: settings.Spark, name: str) -> SparkConf:
    master = planned_master(spark)
    conf = SparkConf()
    conf.setIfMissing("spark.app.name", name)
    preferred = _PREFERRED | (_SUBMITTED if is_submitted() else {})
    for key, value in {**preferred, **{key: _text(value) for key, value in spark.conf.items()}}.items():
        conf.setIfMissing(key, value)
    if is_one_machine(master):
        for key, value in _LOCAL.items():
            conf.setIfMissing(key, value)
        # Python workers import this package, also where it is not installed.
        seen = (str(Path(activity_aggregates.__file__).parents[1]), conf.get(_WORKERS_SEE, None))
        conf.set(_WORKERS_SEE, os.pathsep.join(filter(None, seen)))
    if is_submitted():
        return conf
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    conf.setIfMissing("spark.master", spark.master)
    conf.setIfMissing("spark.driver.memory", spark.driver_memory)
    if is_one_machine(master):
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # the name of a fresh machine often resolves to nothing
    if EXTENSION not in (conf.get(_EXTENSIONS, None) or ""):
        conf.set(_EXTENSIONS, ",".join(filter(None, (conf.get(_EXTENSIONS, None), EXTENSION))))
    key, jars = ("spark.jars", spark.jars) if spark.jars else ("spark.jars.packages", spark.packages)
    conf.setIfMissing(key, ",".join(jars))
    options = conf.get(_JAVA_OPTIONS, "") or ""
    if "log4j" not in options:
        form = f" -D{_LOG_FORM}={logs.JSON}" if logs.are_objects() else ""
        conf.set(_JAVA_OPTIONS, f"{options} -Dlog4j2.configurationFile={_log_configuration()}{form}".strip())
    return conf


def _log_configuration() -> str:
    return Path(str(files("conf") / "log4j2.properties")).as_uri()


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_versions(session: SparkSession) -> None:
    jvm: Any = session._jvm
    scala = ".".join(jvm.scala.util.Properties.versionNumberString().split(".")[:2])
    if not session.version.startswith("3.5.") or scala != "2.12":
        raise BadRequest(f"this is Spark {session.version} with Scala {scala}: run on {_SUPPORTED} with {CONNECTOR}")
    try:
        location = jvm.org.apache.spark.util.Utils.classForName(_CONNECTOR_CLASS, True, False)
    except Py4JJavaError as error:
        raise BadRequest(f"Spark has no Cassandra connector: start with --packages {CONNECTOR}") from error
    jar = _CONNECTOR_JAR.search(location.getProtectionDomain().getCodeSource().getLocation().toString())
    if jar and (jar["scala"] != scala or jar["version"] != "3.5"):
        raise BadRequest(
            f"the Cassandra connector {jar['version']} for Scala {jar['scala']} does not fit Spark {session.version} "
            f"with Scala {scala}: start with --packages {CONNECTOR}"
        )
