"""Spark's JVM that cannot start, and Ctrl-C while it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest
from activity_aggregates.spark.session import open_spark
from tests.harness.waiting import PATIENCE_SECONDS, wait_at_work, wait_until

START = """
import os, sys
from activity_aggregates import interrupts
from activity_aggregates.configuration import load
from activity_aggregates.spark.session import open_spark

interrupts.heed()
try:
    open_spark(load(None, os.environ, {}).settings.spark, sys.argv[1])
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def jvms(name: str) -> list[int]:
    """The processes of Java on whose command line this name of an application stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:  # it has ended
            continue
        if Path(words[0]).name == "java" and any(name in word for word in words):
            found.append(int(process.name))
    return found


def test_an_interrupt_while_the_jvm_starts_leaves_neither_a_stack_nor_a_jvm() -> None:
    name = f"interrupted-{uuid4().hex}"
    command = [sys.executable, "-c", START, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        wait_at_work(process, lambda: jvms(name), "no JVM was started")
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, output) == (1, "interrupted\n")
    wait_until(lambda: not jvms(name), "the JVM lives on")


def test_a_spark_home_where_no_spark_is_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with pytest.raises(BadRequest, match=f"^SPARK_HOME is {tmp_path}, where there is no bin/spark-submit: correct it"):
        open_spark(load(None, {}, {}).settings.spark, "stale")
