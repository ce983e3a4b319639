"""Starting and stopping an instance."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.embedded import certificates, client, instance, memory, ports
from scripts.embedded.artifacts import CASSANDRA
from scripts.embedded.certificates import Certificates
from scripts.embedded.errors import SetupError
from scripts.embedded.jars import jars
from scripts.embedded.node import Node

READY_SECONDS = 180
LAUNCH_SECONDS = 2  # in which a process may not have its command line yet
LAST_LINES = 20
_AUTHENTICATION: dict[str, object] = {
    "authenticator": "PasswordAuthenticator",
    "authorizer": "CassandraAuthorizer",
}


@dataclass(frozen=True)
class Wish:
    """What `start` was asked for; `heap` in MiB."""

    name: str
    nodes: int
    heap: int
    release: str
    port: int | None
    throwaway: bool
    auth: bool
    tls: bool
    client_certificates: bool

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.{number}" for number in range(1, self.nodes + 1)]


def start(wish: Wish) -> instance.State:
    """The running instance of this name: the one that runs already, or a new one."""
    before = instance.load(wish.name)
    if before is not None and instance.living(before):
        _refuse_other(wish, before)
        return before
    if before is not None and not wish.throwaway and before.release != wish.release:
        raise SetupError(
            f"the data of {wish.name!r} were written by Cassandra {before.release}: start {wish.release} under another "
            "--name, or with --throwaway."
        )
    memory.check(wish.nodes, wish.heap)
    files = jars(CASSANDRA[wish.release])
    if wish.throwaway or (before is not None and before.throwaway):
        shutil.rmtree(instance.folder(wish.name), ignore_errors=True)
    trust = certificates.make(instance.folder(wish.name) / "tls", wish.addresses) if wish.tls else None
    nodes = _nodes(wish, trust)
    state = _state(wish, nodes, trust)
    for node in nodes:
        node.write_configuration()
        state = replace(state, pids=state.pids | {str(_launch(node, files)): node.mark})
        instance.save(wish.name, state)
    try:
        _wait(state, nodes)
    except BaseException:  # also an interrupt: what did not become ready must not stay behind
        instance.terminate(state)
        raise
    return state


def stop(name: str) -> bool:
    """Stop what is recorded under this name; false when it was not running."""
    state = instance.load(name)
    was_running = state is not None and bool(instance.living(state))
    if state is not None:
        instance.terminate(state)
        if state.throwaway:
            shutil.rmtree(instance.folder(name))
    return was_running


def _refuse_other(wish: Wish, running: instance.State) -> None:
    nodes, auth, tls = len(running.contact_points), running.username is not None, running.ca_file is not None
    asked = (wish.release, wish.nodes, wish.auth, wish.tls, wish.client_certificates)
    offered = (running.release, nodes, auth, tls, running.client_file is not None)
    if offered != asked or wish.port not in (None, running.port):
        raise SetupError(
            f"Cassandra {running.release} {wish.name!r} runs already with {nodes} node(s) on port {running.port}, "
            f"{'with' if auth else 'without'} a login, {'with' if tls else 'without'} TLS and "
            f"{'with' if running.client_file else 'without'} certificates of clients: stop it first, "
            "or start this one under another --name."
        )


def _nodes(wish: Wish, trust: Certificates | None) -> list[Node]:
    chosen = ports.choose(wish.addresses, wish.port, usual=wish.name == "default")
    encryption = trust.settings(of_clients=wish.client_certificates) if trust else {}
    settings = (_AUTHENTICATION if wish.auth else {}) | encryption
    return [
        Node(
            folder=instance.folder(wish.name) / f"node{number + 1}",
            number=number,
            addresses=wish.addresses,
            ports=chosen,
            heap=wish.heap,
            release=wish.release,
            throwaway=wish.throwaway,
            settings=settings,
        )
        for number in range(wish.nodes)
    ]


def _state(wish: Wish, nodes: list[Node], trust: Certificates | None) -> instance.State:
    chosen = nodes[0].ports
    return instance.State(
        contact_points=list(nodes[0].addresses),
        port=chosen.cql,
        storage_port=chosen.storage,
        pids={},
        throwaway=wish.throwaway,
        release=wish.release,
        username="cassandra" if wish.auth else None,
        password="cassandra" if wish.auth else None,
        jmx_ports=list(chosen.jmx),
        **_tls_files(wish, trust),
    )


def _tls_files(wish: Wish, trust: Certificates | None) -> dict[str, str]:
    if trust is None:
        return {}
    trusted = {"ca_file": str(trust.authority), "truststore_file": str(trust.truststore)}
    shown = {"client_file": str(trust.client), "keystore_file": str(trust.keystore)} if wish.client_certificates else {}
    return trusted | shown | {"store_password": trust.store_password}


def _launch(node: Node, files: list[Path]) -> int:
    """In a session of its own: an interrupt meant for the script that starts it must not reach it."""
    with node.log.open("w") as log:
        process = subprocess.Popen(
            node.command(files), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    while process.poll() is None and not instance.is_node(process.pid, node.mark):
        time.sleep(0.01)  # for a moment after it began, a process has no command line by which to recognise it
    return process.pid


def _wait(state: instance.State, nodes: list[Node]) -> None:
    begun = told = time.monotonic()
    while not client.answers(state):
        now = time.monotonic()
        is_ended = now - begun > LAUNCH_SECONDS and len(instance.living(state)) < len(nodes)
        if is_ended or now - begun > READY_SECONDS:
            raise SetupError(
                f"Cassandra did not start within {now - begun:.0f} s; the end of its log:\n{_endings(nodes)}"
            )
        if now - told > 5:
            told = now
            print(f"Cassandra is starting, {now - begun:.0f} s", file=sys.stderr)
        time.sleep(0.3)


def _endings(nodes: list[Node]) -> str:
    endings = []
    for node in nodes:
        with node.log.open() as lines:
            endings.append(f"{node.log}:\n" + "".join(deque(lines, maxlen=LAST_LINES)))
    return "\n".join(endings)
