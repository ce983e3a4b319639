"""A Kafka of one process, broker and controller in one, whose data is gone with its folder."""

from __future__ import annotations

import base64
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyspark

from scripts.embedded.artifacts import KAFKA
from scripts.embedded.jars import jars
from scripts.embedded.java import java
from scripts.embedded.ports import free_ports
from tests.harness.waiting import wait_until

ADDRESS = "127.0.0.1"
HEAP_MIB = 256

_LOG4J = """<Configuration>
  <Appenders><Console name="out"><PatternLayout pattern="%p %c{1}: %m%n%ex"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """What `bootstrap.servers` says of it; it is killed at the end, as nobody reads its data afterwards."""
    port, controller = free_ports(2, [ADDRESS])
    settings, log = folder / "server.properties", folder / "broker.log"
    settings.write_text("".join(f"{key}={value}\n" for key, value in _settings(folder, port, controller).items()))
    (folder / "log4j2.xml").write_text(_LOG4J)
    identity = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    format_ = _command(folder, "kafka.tools.StorageTool", "format", "-t", identity, "-c", settings)
    subprocess.run(format_, check=True, stdout=subprocess.DEVNULL)
    with (
        log.open("w") as out,
        subprocess.Popen(_command(folder, "kafka.Kafka", settings), stdout=out, stderr=out) as it,
    ):
        try:
            wait_until(lambda: it.poll() is not None or _answers(port), f"it does not answer: {log}")
            assert it.poll() is None, f"the broker has ended:\n{log.read_text()}"
            yield f"{ADDRESS}:{port}"
        finally:
            it.kill()


def _settings(folder: Path, port: int, controller: int) -> dict[str, object]:
    return {
        "node.id": 1,
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@{ADDRESS}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{ADDRESS}:{port},CONTROLLER://{ADDRESS}:{controller}",
        "log.dirs": folder / "data",
    }


def _command(folder: Path, main: str, *arguments: str | Path) -> list[str]:
    """Kafka's own jars bring no binding for what it logs through: Spark's is taken."""
    of_spark = Path(pyspark.__file__).parent / "jars"
    logging = [next(of_spark.glob(f"{name}-[0-9]*.jar")) for name in ("slf4j-api", "log4j-slf4j2-impl")]
    options = [f"-Xmx{HEAP_MIB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    options.append(f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}")
    classes = ":".join(map(str, [*logging, *jars(KAFKA)]))
    return [str(java()), *options, "-cp", classes, main, *map(str, arguments)]


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((ADDRESS, port)) == 0
