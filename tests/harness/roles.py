"""The roles of conf/schema/roles.cql, for tests on a Cassandra that demands a login; on others nothing of this acts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from cassandra.cluster import Session

from activity_aggregates.store.migrations import statements
from scripts.embedded.paths import CHECKOUT
from scripts.sample.schema import KEYSPACES

MIGRATE, JOB, API = tuple(f"activity_aggregates_{name}" for name in ("migrate", "job", "api"))
PASSWORD = "a-password-of-the-tests"
TARGET = "activity_aggregates"
_USERNAME, _PASSWORD = "ACTIVITY_AGGREGATES__CASSANDRA__USERNAME", "CASSANDRA_PASSWORD"
_REACHING = ("CASSANDRA_", "ACTIVITY_AGGREGATES__CASSANDRA__")
_NAME_OF_A_ROLE = 5  # CREATE ROLE IF NOT EXISTS name


def is_demanded() -> bool:
    """Whether the environment says whom to sign in as."""
    return bool(os.environ.get(_USERNAME))


def variables(role: str) -> dict[str, str]:
    """The environment of a command that signs in as a role."""
    return {_USERNAME: role, _PASSWORD: PASSWORD} if is_demanded() else {}


@contextmanager
def signed_in_as(role: str) -> Iterator[None]:
    """What is called or started inside has this role."""
    others = {name: os.environ[name] for name in variables(role)}
    os.environ.update(variables(role))
    try:
        yield
    finally:
        os.environ.update(others)


def leave(patched: pytest.MonkeyPatch) -> None:
    """From here on the environment says of no Cassandra where it is and how it is reached."""
    for name in [*os.environ]:
        if name.startswith(_REACHING) and name != "CASSANDRA_VERSION":
            patched.delenv(name)


def create_roles(admin: Session) -> None:
    """All roles of the file, with a password."""
    for statement in _statements():
        words = statement.split()
        if words[0] == "CREATE":
            admin.execute(statement)
            admin.execute(f"ALTER ROLE {words[_NAME_OF_A_ROLE]} WITH PASSWORD = '{PASSWORD}'")


def grant(admin: Session, keyspaces: Mapping[str, str], *roles: str) -> None:
    """What the file grants to these roles, in keyspaces by their names in it; without tables that are not there."""
    admin.cluster.refresh_schema_metadata()
    for statement in _statements():
        words = statement.split()
        if words[0] == "GRANT" and words[-1] in roles and (place := _place(admin, keyspaces, words[4])):
            admin.execute(" ".join([*words[:4], place, *words[5:]]))


def allow(admin: Session, keyspaces: Mapping[str, str], *roles: str) -> None:
    """`grant`, where a login is demanded."""
    if is_demanded():
        grant(admin, keyspaces, *roles)


@contextmanager
def migrating(admin: Session, keyspaces: Mapping[str, str], *roles: str) -> Iterator[None]:
    """What is called inside migrates; afterwards these roles may do in its keyspaces what the file grants them."""
    with signed_in_as(MIGRATE):
        yield
    allow(admin, keyspaces, *roles)


def let_read(admin: Session, role: str, *tables: str) -> None:
    """What the file says to add for tables under other names than its own."""
    for table in tables if is_demanded() else ():
        admin.execute(f"GRANT SELECT ON TABLE {table} TO {role}")


def in_test(sources: str, targets: str) -> dict[str, str]:
    """The keyspaces of the file, where all sources of a test are in one."""
    return {**dict.fromkeys(KEYSPACES.values(), sources), TARGET: targets}


def _place(admin: Session, keyspaces: Mapping[str, str], named: str) -> str | None:
    keyspace, dot, table = named.partition(".")
    there = keyspaces.get(keyspace)
    if there is None or (table and table not in admin.cluster.metadata.keyspaces[there].tables):
        return None
    return f"{there}{dot}{table}"


def _statements() -> Iterator[str]:
    return iter(statements((CHECKOUT / "conf" / "schema" / "roles.cql").read_text("utf-8")))
