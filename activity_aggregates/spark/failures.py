"""What Spark's failures mean to who runs a command: a store or a file system, an executor, the JVM; or a bug."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from py4j.protocol import Py4JNetworkError
from pyspark.errors import AnalysisException, IllegalArgumentException

from activity_aggregates.errors import BadRequest, CheckFailed, JobError, Unreachable
from activity_aggregates.masking import without_secrets

_LONGEST = 300  # characters that are quoted


@dataclass(frozen=True)
class _Failure:
    """A pattern of Java's text, and the sentence about it, in which {0} is what was found and {1} its first group."""

    pattern: re.Pattern[str]
    kind: type[JobError]
    sentence: str


# The first that is found says what it was: a failure of a file system names connections, too.
_OF_PLACES = (
    _Failure(
        re.compile(r"Could not parse Master URL: '(.*)'"),
        BadRequest,
        "spark.master cannot be {1}: write local[*], yarn, spark://host:port or k8s://https://host:port",
    ),
    _Failure(
        re.compile(r'No FileSystem for scheme "?([\w.+-]+)"?'),
        BadRequest,
        "Spark knows no file system of the scheme {1}: correct the path in staging.dir, sources or --out, "
        "or add the jar that brings it to spark.packages",
    ),
    _Failure(
        re.compile(r"ClassNotFoundException: Class (\S*(?:\.fs\.|FileSystem)\S*) not found"),
        BadRequest,
        "Spark has no jar with {1}, which a path needs: add it to spark.packages, "
        "for s3a: org.apache.hadoop:hadoop-aws in the version of Spark's Hadoop",
    ),
    _Failure(
        re.compile(r"Path does not exist: (\S+)\."),
        BadRequest,
        "there is nothing at {1}: correct the path in sources",
    ),
    _Failure(
        re.compile(
            r"(?:CSV header does not conform to the schema|Number of column in CSV header)[\s\S]*?CSV file: (\S+)"
        ),
        BadRequest,
        "the columns of {1} are not those of the files beside it in their order: write it as they are, or move it",
    ),
    _Failure(
        re.compile(r"(?:Illegal Parquet type|Parquet type not yet supported): (?!.*TIMESTAMP).*"),
        BadRequest,
        "Spark cannot read a column of a Parquet file of sources ({0}): write it as text, or leave it out",
    ),
    _Failure(
        re.compile(r"Conflicting (?:directory structures|partition column names) detected[^\n]*"),
        BadRequest,
        "folders of a path of sources are not all of one kind ({0}): move what is beside those of name=value",
    ),
    _Failure(
        re.compile(r"Illegal Parquet type: .*|Parquet column cannot be converted in file \S+ Column: .*"),
        BadRequest,
        "Spark cannot read a file of sources ({0}): write dates in microseconds or milliseconds, and each column of "
        "all files of a folder in one type",
    ),
    _Failure(
        re.compile(r"\S+ is not a Parquet file"),
        BadRequest,
        "{0}: correct its path or its format in sources",
    ),
    _Failure(
        re.compile(
            r"(?:Permission denied|AccessControlException|Mkdirs failed to create|Parent path is not a directory)\b.*"
        ),
        BadRequest,
        "a file system refused Spark ({0}): name a path in staging.dir, sources or --out that this user may use",
    ),
    _Failure(
        re.compile(r"Call From \S+ to \S+ failed on [^;]*|.*(?:hadoop\S*ConnectTimeoutException|SdkClientException).*"),
        Unreachable,
        "a file system did not answer ({0}): check the paths in staging.dir, sources and --out, "
        "and run the command again",
    ),
    _Failure(
        re.compile(
            r".*(?:AllNodesFailedException|NoNodeAvailableException|Failed to open native connection|"
            r"DriverTimeoutException|UnavailableException|ReadTimeoutException|WriteTimeoutException|"
            r"ClosedConnectionException|HeartbeatException).*"
        ),
        Unreachable,
        "Cassandra was lost or did not answer while Spark read or wrote ({0}): "
        "check the cluster and run the command again",
    ),
    _Failure(
        re.compile(r"UnknownHostException: (\S+)"),
        Unreachable,
        "no machine is called {1}: correct the paths in staging.dir, sources and --out, or its name service",
    ),
)
_OF_SPARK = (
    _Failure(  # of a source's date is known before, and that row is refused
        re.compile(r"ArithmeticException: long overflow[\s\S]*DateTimeUtils"),
        CheckFailed,
        "a date in agg_last_updated of a target table is beyond what Spark can hold, so nothing was written: look for "
        "an entry of another writer with a date after the year 290000, and delete or correct it",
    ),
    _Failure(
        re.compile(r"Python in worker has different version \((\d+), (\d+)\) than that in driver ([\d.]+)"),
        BadRequest,
        "executors have Python {1}.{2} and the driver has {3}: start Spark with spark.pyspark.python (PYSPARK_PYTHON) "
        "and spark.pyspark.driver.python that name the same minor version",
    ),
    _Failure(
        re.compile(r'Cannot run program "(\S*python\S*)"'),
        BadRequest,
        "executors have no {1}: start Spark with spark.pyspark.python (PYSPARK_PYTHON) that names a Python they have",
    ),
    _Failure(
        re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'"),
        BadRequest,
        "Python on executors finds no {1}: start Spark with --py-files, --archives and spark.executorEnv.PYTHONPATH "
        "as docs/installing.md says",
    ),
    _Failure(
        re.compile(r"NoClassDefFoundError: (?:Could not initialize class )?(\S+)"),
        BadRequest,
        "Spark's jars lack {1}, which one of them needs: start with --packages, which brings all that a jar needs, or "
        "name the missing jar beside it",
    ),
    _Failure(
        re.compile(r"No space left on device"),
        Unreachable,
        "a disk that Spark writes to is full: make room in staging.dir, events.path, --out and spark.local.dir, "
        "and run the command again",
    ),
    _Failure(
        re.compile(r"OutOfMemoryError: .*"),
        Unreachable,
        "Spark had too little memory ({0}): raise spark.driver_memory, on a cluster that of its executors, "
        "and run the command again",
    ),
    _Failure(
        re.compile(r"ExecutorLostFailure .*|.*(?:MetadataFetchFailed|FetchFailed|SparkContext was shut down).*"),
        Unreachable,
        "executors were lost too often ({0}): look at what ended them, for example their memory, "
        "and run the command again",
    ),
)
# What is so where nothing that is known better is.
_OF_FILES = (
    _Failure(
        re.compile(r"Encountered error while reading file (\S+?)\. Details"),
        BadRequest,
        "the file {1} cannot be read to its end: it is damaged, or packed in a way that this Spark does not know; "
        "write it again, or, where it is below staging.dir, start the command again",
    ),
)


# Where Java's text says what was the matter, from the innermost outwards.
_REASONS = (
    re.compile(r"^Caused by: (?:[\w$]+\.)*(\w.*)", re.MULTILINE),
    re.compile(r"Lost task .*?\): (?:[\w$]+\.)*(\w.*)"),
    re.compile(r"^: (?:[\w$]+\.)*(\w.*)", re.MULTILINE),
    re.compile(r"(\S.*)"),
)
# What another attempt meets again.
_OF_SETTINGS = re.compile(
    r"ConfigException|IllegalArgument|NoSuchElement|ClassNotFound|Authenticat|Authoriz|No suitable driver",
    re.IGNORECASE,
)


def job_error(error: BaseException) -> JobError | None:
    """What is to be told in place of an error that Spark reports; None for a bug."""
    return _of_the_jvm(error) or _first_of(_OF_PLACES + _OF_SPARK + _OF_FILES, str(error))


def writer_error(error: BaseException, what: str, then: str) -> JobError:
    """The same of a writer that others have brought, and its options: `what` failed, and what to do `then`.

    Whatever it fails with is about these, also where it is like the failure of a place of ours; but not what befell
    Spark itself.
    """
    text = str(error)
    if (of_spark := _of_the_jvm(error) or _first_of(_OF_SPARK, text)) is not None:
        return of_spark
    reason = _reason(text)
    like = _first_of(_OF_PLACES, text)
    is_of_settings = isinstance(error, AnalysisException | IllegalArgumentException) or _OF_SETTINGS.search(reason)
    kind = BadRequest if is_of_settings or isinstance(like, BadRequest) else Unreachable
    return kind(f"{what} ({reason}): {then}")


def _of_the_jvm(error: BaseException) -> JobError | None:
    if not isinstance(error, Py4JNetworkError | ConnectionError):
        return None
    return Unreachable(
        "Spark's JVM has ended while it was at work, perhaps killed for its memory: "
        "look at the machine, and run the command again"
    )


def _first_of(failures: Sequence[_Failure], text: str) -> JobError | None:
    for failure in failures:
        if found := failure.pattern.search(text):
            quoted = [str(without_secrets(each)) for each in (found[0], *found.groups())]
            return failure.kind(failure.sentence.format(*(part.strip(": ")[:_LONGEST] for part in quoted)))
    return None


def _reason(text: str) -> str:
    r"""The innermost reason in Java's text, its package left out, without a secret of the options in it.

    >>> _reason(": a.SparkException: Job aborted\n\tat a.b\nCaused by: b.TimeoutException: Topic x not present.")
    'TimeoutException: Topic x not present'
    """
    found = next(found for pattern in _REASONS if (found := pattern.findall(text or "no reason")))
    return str(without_secrets(found[-1].strip(" .:")))[:_LONGEST]
