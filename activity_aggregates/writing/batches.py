"""Which rows travel together: unlogged batches of rows that the same nodes keep, bounded in rows and bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cassandra.metadata import Metadata
from cassandra.query import BoundStatement

T = TypeVar("T")


class ReplicaSets:
    """The nodes that keep a routing key, as a number: rows of one number may travel in one batch.

    >>> ring = [(0, {"a", "b"}), (10, {"b", "c"}), (20, {"b", "a"})]
    >>> sets = ReplicaSets(ring, token=len)
    >>> sets.of(b""), sets.of(b"12345"), sets.of(b"x" * 15), sets.of(b"x" * 99)
    (0, 1, 0, 0)
    """

    def __init__(self, ring: Iterable[tuple[Any, Iterable[Hashable]]], token: Callable[[bytes], Any]) -> None:
        """`ring` has, in the order of tokens, each range's last token and its nodes; `token` is a key's."""
        numbers: dict[frozenset[Hashable], int] = {}
        self._token = token
        self._ends: list[Any] = []
        self._sets: list[int] = []
        for end, nodes in ring:
            self._ends.append(end)
            self._sets.append(numbers.setdefault(frozenset(nodes), len(numbers)))
        self.count = len(numbers)

    def of(self, routing_key: bytes) -> int:
        at = bisect_left(self._ends, self._token(routing_key))
        return self._sets[at % len(self._ends)]

    def of_statement(self, statement: BoundStatement) -> int:
        """As `of`; a single set is answered without looking."""
        return self.of(statement.routing_key) if self.count > 1 else 0


def replica_sets(cluster: Metadata, keyspace: str, datacenter: str) -> ReplicaSets:
    """The ring as the driver knows it; a request is sent within `datacenter`, so only its nodes tell sets apart."""
    ring = cluster.token_map
    if ring is None:
        return ReplicaSets([], token=len)
    local = [
        (token.value, [host for host in ring.get_replicas(keyspace, token) if host.datacenter == datacenter])
        for token in ring.ring
    ]
    return ReplicaSets(local, token=lambda routing_key: ring.token_class.from_key(routing_key).value)


@dataclass
class _Open(Generic[T]):
    items: list[T] = field(default_factory=list)
    size: int = 0


class Batches(Generic[T]):
    """Collects items by group and hands them back, a batch at a time, as soon as a bound is reached.

    >>> batches = Batches[str](max_items=2, max_bytes=100)
    >>> batches.add(0, "a", 40), batches.add(1, "b", 40), batches.add(0, "c", 40)
    ([], [], [['a', 'c']])
    >>> batches.add(1, "d", 90), batches.add(1, "larger than any batch", 101), list(batches.rest())
    ([['b']], [['larger than any batch']], [['d']])
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._open: defaultdict[int, _Open[T]] = defaultdict(_Open)

    def add(self, group: int, item: T, size: int) -> Sequence[list[T]]:
        """The batches that are complete with this item; one above the bound of bytes is a batch of its own."""
        if size > self._max_bytes:
            return [[item]]
        complete = []
        batch = self._open[group]
        if batch.size + size > self._max_bytes:
            complete.append(batch.items)
            batch = self._open[group] = _Open()
        batch.items.append(item)
        batch.size += size
        if len(batch.items) == self._max_items:
            complete.append(self._open.pop(group).items)
        return complete

    def rest(self) -> Iterator[list[T]]:
        """What is left, at the end."""
        return (batch.items for batch in self._open.values())
