"""Which ports a new instance gets: the usual ones where they are free, otherwise any that are."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from scripts.embedded.errors import SetupError

USUAL_CQL = 9042
USUAL_STORAGE = 7000


@dataclass(frozen=True)
class Ports:
    """One CQL and one storage port, the same on every node's address; JMX differs per node as it is on localhost."""

    cql: int
    storage: int
    jmx: tuple[int, ...]


def choose(addresses: Sequence[str], wanted: int | None, *, usual: bool) -> Ports:
    """Ports that nobody listens on. A `wanted` CQL port is taken as it is, or refused in a sentence."""
    if wanted is not None and not _is_free(addresses, wanted):
        raise SetupError(
            f"port {wanted} is taken on {', '.join(addresses)}: give another --port, or none to get a free one."
        )
    cql = wanted or (USUAL_CQL if usual and _is_free(addresses, USUAL_CQL) else None)
    storage = USUAL_STORAGE if usual and _is_free(addresses, USUAL_STORAGE) else None
    free = free_ports(2 + len(addresses), addresses)
    return Ports(cql=cql or free[0], storage=storage or free[1], jmx=tuple(free[2:]))


def _is_free(addresses: Sequence[str], port: int) -> bool:
    with ExitStack() as bound:
        try:
            for address in addresses:
                _listen(bound, address, port)
        except OSError:
            return False
    return True


def free_ports(count: int, addresses: Sequence[str]) -> list[int]:
    """Distinct ports, free on every address; all are held until the last is found."""
    found: list[int] = []
    with ExitStack() as bound:
        while len(found) < count:
            port = _listen(bound, addresses[0], 0)
            if _is_free(addresses[1:], port):
                found.append(port)
    return found


def _listen(bound: ExitStack, address: str, port: int) -> int:
    listener = bound.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    chosen: int = listener.getsockname()[1]
    return chosen
