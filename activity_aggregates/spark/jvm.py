"""The JVM that a session of its own runs in: how it is started, and ended when its start is cut off."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.java_gateway import JavaGateway
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

from activity_aggregates import interrupts


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
        gateway: JavaGateway = launch_gateway(conf, {"process_group": keeper.pid})  # type: ignore[no-untyped-call]
        SparkContext._ensure_initialized(gateway=gateway)
        yield
    except BaseException:
        if interrupts.was_interrupted():
            os.killpg(keeper.pid, signal.SIGKILL)
        raise
    finally:
        keeper.communicate()
