"""Creates the source tables of the platform, for the sample, the benchmark and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from cassandra.cluster import Session

from activity_aggregates.store.migrations import statements

KEYSPACES = {
    "courses": "sunbird_courses",
    "hierarchies": "dev_hierarchy_store",
    "groups": "sunbird_groups",
    "users": "sunbird",
}


def create_source_tables(session: Session, keyspaces: Mapping[str, str], replicas: int = 1) -> None:
    """Creates what is missing; `keyspaces` names the four of KEYSPACES, which may be one and the same."""
    for keyspace in sorted({*keyspaces.values()}):
        session.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {keyspace} "
            f"WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {replicas}}}"
        )
    for statement in statements(Path(__file__).with_name("sources.cql").read_text("utf-8")):
        session.execute(Template(statement).substitute(keyspaces))
