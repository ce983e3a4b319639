"""An instance: one named cluster on this machine, its folder and what is known about its last start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.embedded.artifacts import NEWEST
from scripts.embedded.errors import SetupError
from scripts.embedded.paths import INSTANCES

STOP_SECONDS = 30
_SETTING = "ACTIVITY_AGGREGATES__CASSANDRA__"


@dataclass(frozen=True)
class State:
    """What a start leaves behind, for `stop`, `status` and other programs (state.json)."""

    contact_points: list[str]
    port: int
    storage_port: int
    pids: dict[str, str]  # of each process, with the argument by which it is recognised
    throwaway: bool
    release: str = NEWEST
    username: str | None = None
    password: str | None = None
    jmx_ports: list[int] = field(default_factory=list)  # of the nodes, on localhost alone
    ca_file: str | None = None
    truststore_file: str | None = None
    client_file: str | None = None  # certificate and key that a client has to show, as PEM
    keystore_file: str | None = None
    store_password: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What commands of this project need in their environment to reach it."""
        tls = f"{_SETTING}TLS__"
        named = {
            "CASSANDRA_CONTACT_POINTS": ",".join(self.contact_points),
            "CASSANDRA_PORT": str(self.port),
            f"{_SETTING}USERNAME": self.username,
            "CASSANDRA_PASSWORD": self.password,
            f"{tls}ENABLED": self.ca_file and "true",
            f"{tls}CA_FILE": self.ca_file,
            f"{tls}CERT_FILE": self.client_file,
            f"{tls}KEY_FILE": self.client_file,
            f"{tls}TRUSTSTORE_FILE": self.truststore_file,
            "CASSANDRA_TRUSTSTORE_PASSWORD": self.store_password,
            f"{tls}KEYSTORE_FILE": self.keystore_file,
            "CASSANDRA_KEYSTORE_PASSWORD": self.keystore_file and self.store_password,
        }
        return {name: value for name, value in named.items() if value is not None}


def folder(name: str) -> Path:
    return INSTANCES / name


def load(name: str) -> State | None:
    """The state of the last start, also of an instance that was stopped since."""
    try:
        return State(**json.loads((folder(name) / "state.json").read_text()))
    except FileNotFoundError:
        return None


def save(name: str, state: State) -> None:
    """Written beside and moved, so that a reader never sees half of it."""
    folder(name).mkdir(parents=True, exist_ok=True)
    draft = folder(name) / "state.json.draft"
    draft.write_text(json.dumps(asdict(state), indent=2) + "\n")
    draft.rename(folder(name) / "state.json")


def living(state: State) -> list[int]:
    """The recorded processes that still are the nodes they were: a process id is soon somebody else's."""
    return [int(pid) for pid, mark in state.pids.items() if is_node(int(pid), mark)]


def is_node(pid: int, mark: str) -> bool:
    return mark in _command(pid)


def terminate(state: State) -> None:
    """Ask every living node to drain and end; one that does not within STOP_SECONDS is killed."""
    for pid in living(state):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while living(state):
        if time.monotonic() > deadline:
            for pid in living(state):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def running(name: str) -> State:
    """The state of a running instance, or the sentence that says how to get one."""
    state = load(name)
    if state is None or not living(state):
        raise SetupError(f"Cassandra {name!r} is not running: start it with scripts/cassandra start --name {name}.")
    return state


def _command(pid: int) -> str:
    """The command line of a process; empty when it has ended, also when nobody has collected it yet."""
    cmdline = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, check=False, capture_output=True, text=True).stdout
