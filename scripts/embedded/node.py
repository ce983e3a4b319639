"""One node of an instance: its configuration file and the command that starts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.embedded.java import OF_CASSANDRA, java
from scripts.embedded.ports import Ports

# Evenly spaced over the ring, so that three nodes own a third each.
TOKENS = {1: (None,), 3: (-(2**63), -3074457345618258603, 3074457345618258602)}

_HERE = Path(__file__).parent

_LOGBACK = """<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %d{ISO8601,UTC} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
"""


def options(version: str) -> Path:
    """The argument file by which this Java lets Cassandra do what it does."""
    return _HERE / f"jvm-{version}.options"


@dataclass(frozen=True)
class Node:
    """One process: `number` counts from 0, `addresses` are those of all nodes, `heap` is in MiB."""

    folder: Path
    number: int
    addresses: Sequence[str]
    ports: Ports
    heap: int
    release: str
    throwaway: bool
    settings: dict[str, object]

    @property
    def log(self) -> Path:
        return self.folder / "cassandra.log"

    @property
    def mark(self) -> str:
        """The argument by which the process is recognised as this node."""
        return f"-Dcassandra.config={(self.folder / 'cassandra.yaml').as_uri()}"

    def write_configuration(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cassandra.yaml").write_text(yaml.safe_dump(self._yaml(), sort_keys=False))
        (self.folder / "logback.xml").write_text(_LOGBACK)

    def command(self, jars: Sequence[Path]) -> list[str]:
        jamm = next(jar for jar in jars if jar.name.startswith("jamm-"))
        version = OF_CASSANDRA[self.release]
        return [
            str(java(version)),
            f"@{_HERE / 'jvm.options'}",
            f"@{options(version)}",
            self.mark,
            f"-XX:ErrorFile={self.folder / 'crash-%p.log'}",  # a mapped file on a full disk ends the JVM itself
            f"-javaagent:{jamm}",
            *(f"-D{key}={value}" for key, value in self._properties().items()),
            f"-Xms{self.heap}m",
            f"-Xmx{self.heap}m",
            "-cp",
            ":".join(map(str, jars)),
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def _properties(self) -> dict[str, object]:
        properties: dict[str, object] = {
            "cassandra.storagedir": self.folder,
            "cassandra.logdir": self.folder,
            "cassandra.jmx.local.port": self.ports.jmx[self.number],
            "logback.configurationFile": self.folder / "logback.xml",
        }
        # Schema changes are not flushed to disk: several times faster, and lost in a crash. A login costs no hashing.
        fast = {"cassandra.unsafesystem": "true", "cassandra.auth_bcrypt_gensalt_log2_rounds": 4}
        return properties | (fast if self.throwaway else {})

    def _yaml(self) -> dict[str, object]:
        address = self.addresses[self.number]
        seeds = ",".join(f"{seed}:{self.ports.storage}" for seed in self.addresses)
        seed_provider = {
            "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
            "parameters": [{"seeds": seeds}],
        }
        token = TOKENS[len(self.addresses)][self.number]
        return {
            "cluster_name": "embedded",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": [seed_provider],
            "listen_address": address,
            "rpc_address": address,
            "native_transport_port": self.ports.cql,
            "storage_port": self.ports.storage,
            "num_tokens": 1,
            **({} if token is None else {"initial_token": str(token)}),
            "auto_bootstrap": False,
            "auto_snapshot": False,
            "hinted_handoff_enabled": False,
            "commitlog_sync": "periodic",
            # The names of sizes and times are those of 4.0, which later releases still read.
            "commitlog_sync_period_in_ms": 10_000,
            # Half of it is the largest mutation: a course hierarchy is several megabytes.
            "commitlog_segment_size_in_mb": 32,
            # Batches of one replica set are what the upsert sends; the server's defaults warn about each.
            "batch_size_warn_threshold_in_kb": 40,
            "batch_size_fail_threshold_in_kb": 50,
            "unlogged_batch_across_partitions_warn_threshold": 1000,
            **self.settings,
        }
