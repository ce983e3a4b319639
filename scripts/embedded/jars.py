"""Jars from Maven repositories: fetched once into the cache, checked against the committed sums at every use.

The lists name every jar that is needed and nothing else: no natives of other machines, no second SLF4J binding, nothing
that Spark brings itself. So nothing has to be resolved, and Maven, where it is installed, or the Ivy inside pyspark
fetches just these.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from scripts.embedded.artifacts import CASSANDRA, CONNECTOR, KAFKA, NEWEST, SPARK_KAFKA, Closure
from scripts.embedded.errors import SetupError
from scripts.embedded.paths import CACHE
from scripts.embedded.resolvers import REPOSITORY_VARIABLE, FetchFailed, with_ivy, with_maven


def jars(closure: Closure) -> list[Path]:
    """The checked jars of the closure, fetched when the cache lacks any."""
    files = [closure.folder / artifact.file for artifact in closure.artifacts]
    if not all(file.is_file() for file in files):
        _fetch(closure)
    _check(closure, closure.folder)
    return files


def _fetch(closure: Closure) -> None:
    """Into a folder beside the cache's own, checked, then moved: an interrupted fetch leaves nothing half done."""
    count = len(closure.artifacts)
    print(f"setup: fetching {closure.name} {closure.version}, {count} jars, up to half a minute", file=sys.stderr)
    closure.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=closure.folder.parent) as scratch:
        found = Path(scratch, "found")
        _find(closure, found)
        _check(closure, found)
        shutil.rmtree(closure.folder, ignore_errors=True)
        found.rename(closure.folder)


def _find(closure: Closure, into: Path) -> None:
    """Maven goes by its own settings, so it comes first, unless the environment names a repository."""
    reasons = []
    for fetch in (with_ivy,) if os.environ.get(REPOSITORY_VARIABLE) else (with_maven, with_ivy):
        try:
            return fetch(closure.artifacts, into)
        except FetchFailed as failure:
            reasons.append(str(failure))
    raise SetupError(
        f"{closure.name} {closure.version} is not in {CACHE} and cannot be fetched ({'; '.join(reasons)}): connect "
        f"this machine to a Maven repository once, name one of your own in {REPOSITORY_VARIABLE}, or point "
        "ACTIVITY_AGGREGATES_CACHE at a filled cache."
    )


def _check(closure: Closure, folder: Path) -> None:
    wrong = list(closure.differing(folder))
    if wrong:
        raise SetupError(
            f"{len(wrong)} of the jars in {folder} are missing or are not what {closure.sums.name} names "
            f"({', '.join(wrong[:3])}): delete {closure.folder} and run again."
        )


def for_spark(*, with_kafka: bool) -> list[Path]:
    """What a session of Spark's is given; what the servers need is fetched with it."""
    jars(CASSANDRA[NEWEST])
    if not with_kafka:
        return jars(CONNECTOR)
    jars(KAFKA)
    return jars(CONNECTOR) + jars(SPARK_KAFKA)


if __name__ == "__main__":
    try:
        found = for_spark(with_kafka=sys.argv[1:] == ["kafka"])
        print(json.dumps([str(jar) for jar in found], ensure_ascii=False))  # YAML, whatever signs the folder has
    except SetupError as error:
        sys.exit(str(error))
