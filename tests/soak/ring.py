"""A real cluster of three nodes on this machine: every one can be killed, held, replaced, and joined by more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.embedded import client, memory
from scripts.embedded.artifacts import CASSANDRA, NEWEST
from scripts.embedded.instance import State
from scripts.embedded.jars import jars
from scripts.embedded.node import TOKENS, Node
from scripts.embedded.ports import Ports, choose
from tests.harness.waiting import wait_until

FIRST = 3  # nodes that the ring begins with
_MOST = 5
_HEAP = 512  # MiB
_BETWEEN = (TOKENS[FIRST][0] or 0) // 2  # a place in the ring that no node of the first has


def address(number: int) -> str:
    """Of a node, counted from 1."""
    return f"127.0.0.{number}"


@dataclass(frozen=True)
class Member(Node):
    """A node that outlives its death: what it has written is on disk. `number` counts from 0."""

    joins: bool = False  # it comes later, and takes over what is its share
    replaces: str | None = None  # the address of a dead node whose place it takes
    environ: Mapping[str, str] = field(default_factory=dict)

    def _yaml(self) -> dict[str, object]:
        first = Node(
            self.folder, 0, self.addresses[:FIRST], self.ports, self.heap, self.release, self.throwaway, self.settings
        )
        mine = {"listen_address": self.addresses[self.number], "rpc_address": self.addresses[self.number]}
        token = None if self.replaces else _BETWEEN if self.joins else TOKENS[FIRST][self.number]
        made = {**first._yaml(), **mine, "auto_bootstrap": self.joins}
        made.pop("initial_token")
        return made if token is None else {**made, "initial_token": str(token)}

    def _properties(self) -> dict[str, object]:
        replacing = {"cassandra.replace_address_first_boot": self.replaces} if self.replaces else {}
        return {**super()._properties(), **replacing}


class Ring:
    """The nodes by their numbers, counted from 1, and their processes."""

    def __init__(self, folder: Path, environs: Mapping[int, Mapping[str, str]]) -> None:
        """Not started; `environs` are variables for the processes of single nodes."""
        memory.check(FIRST + 1, _HEAP)
        self.folder = folder
        self._ports: Ports = choose([address(number) for number in range(1, _MOST + 1)], None, usual=False)
        self._environs = environs
        self._members: dict[int, Member] = {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._jars = jars(CASSANDRA[NEWEST])

    def __enter__(self) -> Ring:
        try:
            for number in range(1, FIRST + 1):
                self._add(number)
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> State:
        """Where the nodes answer."""
        alive = [address(number) for number in sorted(self._members)]
        return State(alive, self._ports.cql, self._ports.storage, {}, throwaway=True)

    def data(self, number: int) -> Path:
        """The folder of a node."""
        return self._members[number].folder

    def wait(self) -> None:
        """Until all nodes see each other and agree on the schema."""
        wait_until(lambda: client.answers(self.state), f"the ring is not whole: see {self.folder}/*/cassandra.log")

    def kill(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].wait()

    def hold(self, number: int) -> None:
        """The process stands still until `release`."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def release(self, number: int) -> None:
        self._processes[number].send_signal(signal.SIGCONT)

    def restart(self, number: int) -> None:
        """With the data that it had when it died."""
        if self._processes[number].poll() is None:
            self.kill(number)
        self._launch(number)

    def add(self, number: int) -> None:
        """A node more, which takes over its share while it joins."""
        self._add(number, joins=True)

    def replace(self, dead: int, number: int) -> None:
        """A new and empty node in the place of a dead one, which does not come back."""
        seen_by = address(next(other for other in self._members if other != dead))
        wait_until(lambda: not _is_up(seen_by, self._ports.cql, address(dead)), "the others do not see that it is dead")
        del self._members[dead], self._processes[dead]
        self._add(number, joins=True, replaces=address(dead))

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self._processes.values():
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self, number: int, *, joins: bool = False, replaces: str | None = None) -> None:
        member = Member(
            self.folder / f"node{number}", number - 1, [address(each) for each in range(1, _MOST + 1)], self._ports,
            _HEAP, NEWEST, throwaway=False, settings={}, joins=joins, replaces=replaces,
            environ=self._environs.get(number, {}),
        )  # fmt: skip
        member.write_configuration()
        self._members[number] = member
        self._launch(number)

    def _launch(self, number: int) -> None:
        member = self._members[number]
        with member.log.open("a") as log:
            self._processes[number] = subprocess.Popen(
                member.command(self._jars), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **member.environ},
            )  # fmt: skip


def _is_up(asked: str, port: int, of: str) -> bool:
    """Whether a node believes that another one lives."""
    with client.session(State([asked], port, 0, {}, throwaway=True)) as session:
        return any(host.address == of and host.is_up for host in session.cluster.metadata.all_hosts())
