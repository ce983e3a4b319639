"""A lease that a test holds, as another run would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cassandra.cluster import Session

from activity_aggregates.store.lease import Lease, LeaseTicket, taken


@contextmanager
def held(session: Session, ticket: LeaseTicket) -> Iterator[Lease]:
    """Held and renewed for the block."""
    found = taken(session, ticket)
    assert isinstance(found, Lease), found
    with found.beating():
        yield found
    found.free()
