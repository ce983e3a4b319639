"""Artifacts of Maven repositories, and lists of them with the sums that their files must have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.embedded.paths import CACHE


@dataclass(frozen=True)
class Artifact:
    """One jar, by its path in a repository: group/…/name/version/file."""

    path: str
    sha256: str

    @property
    def group(self) -> str:
        return ".".join(PurePosixPath(self.path).parts[:-3])

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).parts[-3]

    @property
    def version(self) -> str:
        return PurePosixPath(self.path).parts[-2]

    @property
    def classifier(self) -> str:
        """What tells it from other jars of the same name and version; empty for most."""
        return PurePosixPath(self.path).stem.removeprefix(f"{self.name}-{self.version}").removeprefix("-")

    @property
    def file(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Closure:
    """One artifact, by name and version, with all that it needs at run time, as the committed list has it."""

    name: str
    version: str
    sums: Path

    @property
    def folder(self) -> Path:
        return CACHE / "jars" / f"{self.name}-{self.version}"

    @property
    def artifacts(self) -> list[Artifact]:
        lines = self.sums.read_text().splitlines()
        return [Artifact(path, digest) for digest, path in (line.split() for line in lines)]

    def differing(self, folder: Path) -> Iterator[str]:
        """The files that the folder lacks, or has otherwise than the list says."""
        for artifact in self.artifacts:
            path = folder / artifact.file
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != artifact.sha256:
                yield artifact.file


_HERE = Path(__file__).parent
CASSANDRA = {
    release: Closure("cassandra-all", version, _HERE / f"cassandra-{release}.sha256")
    for release, version in {"5.0": "5.0.9", "4.1": "4.1.10", "4.0": "4.0.19"}.items()
}
NEWEST = "5.0"  # what is started where nobody asks for another
CONNECTOR = Closure("spark-cassandra-connector_2.12", "3.5.1", _HERE / "connector.sha256")
# For the tests with a broker alone.
KAFKA = Closure("kafka_2.13", "4.1.2", _HERE / "kafka.sha256")
SPARK_KAFKA = Closure("spark-sql-kafka-0-10_2.12", "3.5.7", _HERE / "spark-kafka.sha256")
