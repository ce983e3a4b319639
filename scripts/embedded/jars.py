"""Jars from Maven repositories: fetched once into the cache, checked against the committed sums at every use.

Maven does the fetching where it is installed, otherwise the Ivy inside pyspark does. They disagree about a few
optional jars, so the committed lists hold what both find and what is needed; everything else is left out: natives
of other machines, a second SLF4J binding, and what Spark brings itself.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.embedded.errors import SetupError
from scripts.embedded.paths import CACHE
from scripts.embedded.resolvers import ResolutionFailed, with_ivy, with_maven


@dataclass(frozen=True)
class Closure:
    """One artifact and what it needs at run time; `sums` is the committed list of its files."""

    group: str
    artifact: str
    version: str
    sums: Path

    @property
    def folder(self) -> Path:
        return CACHE / "jars" / f"{self.artifact}-{self.version}"

    def expected(self) -> dict[str, str]:
        """File name to SHA-256, in the order of the list."""
        lines = self.sums.read_text().splitlines()
        return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


_HERE = Path(__file__).parent
CASSANDRA = Closure("org.apache.cassandra", "cassandra-all", "5.0.8", _HERE / "cassandra.sha256")
CONNECTOR = Closure("com.datastax.spark", "spark-cassandra-connector_2.12", "3.5.1", _HERE / "connector.sha256")
# For the tests with a broker alone.
KAFKA = Closure("org.apache.kafka", "kafka_2.13", "4.1.2", _HERE / "kafka.sha256")
SPARK_KAFKA = Closure("org.apache.spark", "spark-sql-kafka-0-10_2.12", "3.5.7", _HERE / "spark-kafka.sha256")


def jars(closure: Closure) -> list[Path]:
    """The checked jars of the closure, fetched when the cache lacks any."""
    names = closure.expected()
    if not all((closure.folder / name).is_file() for name in names):
        _fetch(closure)
    _check(closure, closure.folder)
    return [closure.folder / name for name in names]


def _fetch(closure: Closure) -> None:
    """Into a folder beside the cache's own, checked, then moved: an interrupted fetch leaves nothing half done."""
    print(f"fetching {closure.artifact} {closure.version}: up to two minutes without Maven", file=sys.stderr)
    closure.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=closure.folder.parent) as scratch:
        found = Path(scratch, "found")
        _resolve(closure, found)
        for name in {path.name for path in found.iterdir()} - closure.expected().keys():
            (found / name).unlink()
        _check(closure, found)
        shutil.rmtree(closure.folder, ignore_errors=True)
        found.rename(closure.folder)


def _resolve(closure: Closure, into: Path) -> None:
    reasons = []
    for resolve in (with_maven, with_ivy):
        try:
            return resolve((closure.group, closure.artifact, closure.version), into)
        except ResolutionFailed as failure:
            reasons.append(str(failure))
    raise SetupError(
        f"{closure.artifact} {closure.version} is not in {CACHE} and cannot be fetched ({'; '.join(reasons)}): "
        "connect this machine to a Maven repository once, or point ACTIVITY_AGGREGATES_CACHE at a filled cache."
    )


def _check(closure: Closure, folder: Path) -> None:
    wrong = list(_differing(closure, folder))
    if wrong:
        raise SetupError(
            f"{len(wrong)} of the jars in {folder} are missing or are not what {closure.sums.name} names "
            f"({', '.join(wrong[:3])}): delete {closure.folder} and run again."
        )


def _differing(closure: Closure, folder: Path) -> Iterator[str]:
    for name, digest in closure.expected().items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield name


def for_spark(*, with_kafka: bool) -> list[Path]:
    """What a session of Spark's is given; what the servers need is fetched with it."""
    jars(CASSANDRA)
    if not with_kafka:
        return jars(CONNECTOR)
    jars(KAFKA)
    return jars(CONNECTOR) + jars(SPARK_KAFKA)


if __name__ == "__main__":
    try:
        print("[" + ", ".join(str(jar) for jar in for_spark(with_kafka=sys.argv[1:] == ["kafka"])) + "]")
    except SetupError as error:
        sys.exit(str(error))
