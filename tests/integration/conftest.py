"""The Cassandra of the integration tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cassandra.cluster import Session

from activity_aggregates.configuration import load
from activity_aggregates.tables.cassandra import connection, open_session


@pytest.fixture(scope="session")
def cassandra() -> Iterator[Session]:
    """A session of the cluster that the environment names."""
    for variable in ("CASSANDRA_CONTACT_POINTS", "CASSANDRA_PORT"):
        if not os.environ.get(variable):
            pytest.fail(f"{variable} is not set: run the tests with scripts/test, which starts a Cassandra", False)
    with open_session(connection(load(None, os.environ, {}).settings.cassandra, os.environ)) as session:
        yield session
