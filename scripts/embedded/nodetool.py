"""Cassandra's own nodetool, from the jars that its node runs from."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from scripts.embedded import instance
from scripts.embedded.artifacts import CASSANDRA
from scripts.embedded.errors import SetupError
from scripts.embedded.jars import jars
from scripts.embedded.java import OF_CASSANDRA, java
from scripts.embedded.node import options


def ask(name: str, words: Sequence[str]) -> str:
    """What it says of each node of a running instance, one after the other."""
    state = instance.running(name)
    version = OF_CASSANDRA[state.release]
    files = ":".join(map(str, jars(CASSANDRA[state.release])))
    tool = [
        str(java(version)),
        f"@{options(version)}",
        f"-Dlogback.configurationFile={instance.folder(name) / 'node1' / 'logback.xml'}",
        f"-Duser.home={instance.folder(name)}",  # where it keeps a history of what it was asked
        "-cp",
        files,
        "org.apache.cassandra.tools.NodeTool",
    ]
    return "".join(_answer([*tool, "--port", str(port), *words]) for port in state.jmx_ports)


def _answer(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".strip().splitlines() or [f"it ended with {done.returncode}"]
        raise SetupError(f"nodetool: {said[0].removeprefix('nodetool: ')}")
    return done.stdout
