"""Which rows travel in one batch."""

from __future__ import annotations

from cassandra.metadata import KeyspaceMetadata, Metadata
from cassandra.policies import SimpleConvictionPolicy
from cassandra.pool import Host
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_aggregates.writing.batches import Batches, replica_sets

MAX_ITEMS, MAX_BYTES = 3, 100
GROUPS_AND_SIZES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 150)))
ROUTING_KEYS = [str(number).encode() for number in range(500)]


@settings(deadline=None)
@given(GROUPS_AND_SIZES)
def test_every_item_is_in_one_batch_with_items_of_its_group_within_both_bounds(items: list[tuple[int, int]]) -> None:
    batches = Batches[tuple[int, int, int]](MAX_ITEMS, MAX_BYTES)
    sent = [batch for at, (group, size) in enumerate(items) for batch in batches.add(group, (at, group, size), size)]
    sent += batches.rest()
    assert sorted(item[0] for batch in sent for item in batch) == list(range(len(items)))
    assert all(len({group for _, group, _ in batch}) == 1 for batch in sent)
    assert all(len(batch) <= MAX_ITEMS for batch in sent)
    assert all(len(batch) == 1 or sum(size for *_, size in batch) <= MAX_BYTES for batch in sent)


def test_a_batch_is_filled_before_it_is_sent() -> None:
    batches = Batches[str](MAX_ITEMS, MAX_BYTES)
    assert [batches.add(0, name, 10) for name in "abcd"] == [[], [], [["a", "b", "c"]], []]
    assert list(batches.rest()) == [["d"]]


def test_an_item_above_the_bound_of_bytes_goes_alone_and_leaves_the_open_batch_alone() -> None:
    batches = Batches[str](MAX_ITEMS, MAX_BYTES)
    batches.add(0, "small", 10)
    assert batches.add(0, "large", MAX_BYTES + 1) == [["large"]]
    assert list(batches.rest()) == [["small"]]


def test_rows_of_one_number_are_kept_by_the_same_nodes_and_rows_of_two_numbers_are_not() -> None:
    cluster = ring({"n1": "near", "n2": "near", "n3": "near"}, {"replication_factor": "2"})
    sets = replica_sets(cluster, "ks", "near")
    nodes = {(sets.of(key), frozenset(cluster.get_replicas("ks", key))) for key in ROUTING_KEYS}
    assert len(nodes) == len({number for number, _ in nodes}) == len({hosts for _, hosts in nodes}) == sets.count == 3


def test_only_the_nodes_of_the_own_datacenter_tell_sets_apart() -> None:
    everywhere = {"near": "1", "far": "1"}
    cluster = ring({"n1": "near", "f1": "far", "f2": "far"}, everywhere, "NetworkTopologyStrategy")
    assert replica_sets(cluster, "ks", "near").count == 1
    assert replica_sets(cluster, "ks", "far").count == 2


def test_without_a_known_ring_all_rows_are_of_one_set() -> None:
    assert replica_sets(Metadata(), "ks", "near").count == 0


def ring(nodes: dict[str, str], replication: dict[str, str], strategy: str = "SimpleStrategy") -> Metadata:
    """What the driver knows of a cluster, of nodes with their datacenters and 16 tokens each."""
    metadata = Metadata()
    tokens: dict[Host, list[str]] = {}
    for at, (name, datacenter) in enumerate(nodes.items()):
        host, _ = metadata.add_or_return_host(Host(name, SimpleConvictionPolicy))
        host.set_location_info(datacenter, "rack")
        tokens[host] = [str((16 * number + at) * 2**55 - 2**63) for number in range(16)]
    metadata.keyspaces["ks"] = KeyspaceMetadata("ks", True, strategy, replication)
    metadata.rebuild_token_map("Murmur3Partitioner", tokens)
    return metadata
