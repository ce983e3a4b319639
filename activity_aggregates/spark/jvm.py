"""The JVM that Spark runs in: how one of its own is started, ended when its start is cut off, and asked less."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from py4j.java_gateway import JavaClass, JavaGateway, JavaMember, JavaPackage, JVMView
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

from activity_aggregates import interrupts, logs

_LAST_WORDS_SECONDS = 2


@contextmanager
def own_jvm(conf: SparkConf) -> Iterator[None]:
    """Start the JVM for the session that the block opens, unless there is one; an interrupt in the block ends it.

    Whoever interrupts pyspark while it waits leaves a JVM behind that nobody knows: it goes on starting, finds nobody
    to answer to, and says so in a Java stack. So it is started into a process group that this process knows. Once
    open, a session is ended by `stop_spark`, or by the end of this process.
    """
    if SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:
        yield
        return
    # A group needs a member that is not the JVM, for that has no number before it is started.
    keeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0)
    try:
        with _heard() as streams:
            start = {"process_group": keeper.pid, **streams}
            gateway: JavaGateway = launch_gateway(conf, start)  # type: ignore[no-untyped-call]
        SparkContext._ensure_initialized(gateway=gateway)
        yield
    except BaseException:
        if interrupts.was_interrupted():
            os.killpg(keeper.pid, signal.SIGKILL)
        raise
    finally:
        keeper.communicate()


@contextmanager
def _heard() -> Iterator[dict[str, int]]:
    """Streams to start a JVM with within the block, whose lines become objects where those of this process are.

    Also what is said before log4j2.properties is read, or beside it: by Ivy, by the JVM itself, by Python's workers.
    """
    if not logs.are_objects():
        yield {}
        return
    theirs, ours = os.pipe()
    relaying = threading.Thread(target=_relay, args=(theirs,), name="Spark's lines", daemon=True)
    relaying.start()
    try:
        yield {"stderr": ours}
    except BaseException:
        os.close(ours)
        relaying.join(_LAST_WORDS_SECONDS)  # why it did not start comes before that it did not
        raise
    os.close(ours)


def _relay(stream: int) -> None:
    with open(stream, encoding="utf-8", errors="replace") as lines:
        for line in filter(str.strip, lines):
            logs.relay(line.rstrip("\n"), "spark")


class _ClassAskedOnce(JavaClass):  # type: ignore[misc]
    """A class of the JVM whose static methods are looked up there once each, and not whenever they are called."""

    def __getattr__(self, name: str) -> Any:
        return _kept(self, name, super().__getattr__(name))


class _PackageAskedOnce(JavaPackage):  # type: ignore[misc]
    """A package of the JVM: what a name in it means is searched for there, in every jar, once."""

    def __getattr__(self, name: str) -> Any:
        return _kept(self, name, super().__getattr__(name))


def _kept(owner: JavaClass | JavaPackage | JVMView, name: str, found: Any) -> Any:
    """What was found under the name of its owner, for the next time; fields are not kept, they change."""
    kept: Any = found
    if isinstance(found, JavaPackage):
        kept = _PackageAskedOnce(found._fqn, found._gateway_client, found._jvm_id)
    elif isinstance(found, JavaClass):
        kept = _ClassAskedOnce(found._fqn, found._gateway_client)
    elif not isinstance(found, JavaMember):
        return found
    setattr(owner, name, kept)
    return kept


def ask_once() -> None:
    """Remember what PySpark asks the JVM for with every single column: which class and which method its name means.

    A run of a few rows makes some 4,000 columns; two of three questions about each were these, the dearer ones. Lambdas
    and exceptions, with which every counted map of Java ends, go through packages from their first name on.
    """
    jvm: Any = SparkContext._jvm
    for name in ("functions", "PythonUtils", "Column", "SparkSession", "org", "py4j"):
        if name not in vars(jvm):
            _kept(jvm, name, getattr(jvm, name))
