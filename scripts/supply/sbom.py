"""The bill of materials of a release, as CycloneDX: what it carries, and what its locks have pip and Spark install.

The same bytes for the same release: its number and time come from what is in it, and everything is sorted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from pip_requirements_parser import InstallRequirement, RequirementsFile

from scripts.embedded.artifacts import CONNECTOR, Artifact

LOCKS = Path(__file__).parents[2] / "requirements"
# What a release is installed with; `job` is in its env.tar.gz, too.
OF_A_RELEASE = ("job", "spark", "api")


def bill(version: str, seconds: int) -> str:
    """The text of the bill of this version, made at that time, in seconds since the epoch."""
    itself = Component(
        name="activity-aggregates",
        version=version,
        type=ComponentType.APPLICATION,
        purl=PackageURL("pypi", name="activity-aggregates", version=version),
        bom_ref="activity-aggregates",
    )
    bom = Bom(components=[*_packages(), *map(_jar, CONNECTOR.artifacts)])
    bom.metadata.component = itself
    bom.metadata.timestamp = datetime.fromtimestamp(seconds, UTC)
    bom.register_dependency(itself, bom.components)
    named = "\n".join(sorted(f"{part.purl} {part.hashes}" for part in bom.components))
    bom.serial_number = uuid5(NAMESPACE_URL, f"{version} {seconds}\n{named}")
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return text + "\n"


def _packages() -> Iterator[Component]:
    """Each locked package once, with the hashes of all its files and the locks that have it."""
    found: dict[str, tuple[InstallRequirement, list[str]]] = {}
    for lock in OF_A_RELEASE:
        for requirement in RequirementsFile.from_file(str(LOCKS / f"{lock}.lock")).requirements:
            found.setdefault(requirement.name, (requirement, []))[1].append(lock)
    for requirement, locks in found.values():
        yield _package(requirement, locks)


def _package(requirement: InstallRequirement, locks: list[str]) -> Component:
    version = requirement.get_pinned_version
    purl = PackageURL("pypi", name=requirement.name, version=version)
    marker = [Property(name="marker", value=str(requirement.marker))] if requirement.marker else []
    return Component(
        name=requirement.name,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[_sha256(option.rpartition(":")[2]) for option in requirement.hash_options],
        properties=[*(Property(name="lock", value=lock) for lock in locks), *marker],
    )


def _jar(artifact: Artifact) -> Component:
    purl = PackageURL("maven", artifact.group, artifact.name, artifact.version)
    return Component(
        group=artifact.group,
        name=artifact.name,
        version=artifact.version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[_sha256(artifact.sha256)],
    )


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


if __name__ == "__main__":
    sys.stdout.write(bill(sys.argv[1], int(sys.argv[2])))
