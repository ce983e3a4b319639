"""The schema of the target keyspace: numbered files conf/schema/*.cql, each applied once and recorded with a checksum.

Every statement of a file is repeatable, because a migrate that died is simply run again: tables are created IF NOT
EXISTS, and a column that is there is not added again, for which older stores have no such words. All of them go to one
node, the same one whoever migrates in a datacenter, so that two migrates at once cannot create one table under two
ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from string import Template
from typing import Any

from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.protocol import ConfigurationException, SyntaxException

from activity_aggregates.errors import BadRequest, CheckFailed, Unreachable
from activity_aggregates.settings import Settings, Target
from activity_aggregates.store.connection import read, reading

# Comments and quoted text are tokens of their own, so that a semicolon inside them ends no statement.
_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|//[^\n]*|/\*.*?\*/)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<end>;)|.", re.DOTALL
)
_ADDED = re.compile(r"ALTER TABLE \$\{keyspace\}\.\$\{(\w+)\} ADD (\w+) ")
_NUMBERED = re.compile(r"\d+_\w+\.cql$")  # roles.cql lies beside them, for an administrator
_CREATED = re.compile(r"CREATE TABLE IF NOT EXISTS \$\{keyspace\}\.\$\{(\w+)\}")
_DEFINED = re.compile(r"[(,]\s*(\w+|\$\{\w+\}) [a-z]+\b")  # a column and its type
# A table that another migrate has just created is listed a moment before it can be read.
_OPENING_SECONDS = 5.0


@dataclass(frozen=True)
class Migration:
    """One file of conf/schema, `001_aggregates.cql` for example."""

    file: str
    text: str

    @property
    def name(self) -> str:
        """The file without its extension."""
        return self.file.removesuffix(".cql")

    @property
    def number(self) -> int:
        """Its place in the order."""
        return int(self.name.split("_")[0])

    @property
    def tables(self) -> list[str]:
        """The tables that it creates, by their own names."""
        return _CREATED.findall(self.text)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns that it adds, each with the own name of its table."""
        return _ADDED.findall(self.text)

    @property
    def created_columns(self) -> list[tuple[str, str]]:
        """The columns that its tables are created with, as it writes them, each with the own name of its table."""
        created = ((_CREATED.match(statement), statement) for statement in statements(self.text))
        return [(table[1], column) for table, statement in created if table for column in _DEFINED.findall(statement)]

    @property
    def checksum(self) -> str:
        """SHA-256 of the text as it stands in the file, whatever names the settings put in."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    """What the cluster keeps of an applied migration."""

    checksum: str
    applied_at: datetime


@dataclass(frozen=True)
class Schema:
    """The target keyspace as it is: the records by number, the names of its tables, and (table, column) of all."""

    records: Mapping[int, Record]
    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]


def migrations() -> list[Migration]:
    """All migrations that this version of the software knows, in their order."""
    schema = files("conf") / "schema"
    found = [Migration(file.name, file.read_text("utf-8")) for file in schema.iterdir() if _NUMBERED.match(file.name)]
    return sorted(found, key=lambda migration: migration.number)


def statements(text: str) -> Iterator[str]:
    r"""The statements of a file without comments.

    >>> list(statements("-- first; of two\nCREATE a; INSERT ';--' INTO b"))
    ['CREATE a', "INSERT ';--' INTO b"]
    """
    statement = ""
    for token in _TOKEN.finditer(text + ";"):
        if token["end"]:
            if statement.strip():
                yield statement.strip()
            statement = ""
        elif not token["comment"]:
            statement += token[0]


def pending(session: Session, settings: Settings) -> list[str]:
    """Names of the migrations that are still to be applied; one that was edited afterwards raises CheckFailed."""
    schema = current_schema(session, settings.target)
    check_columns(schema, settings.target)
    return [migration.name for migration in migrations() if not is_applied(migration, schema, settings.target)]


def check_applied(session: Session, settings: Settings) -> None:
    """Raises CheckFailed, with what to do, while any migration is still to be applied."""
    if missing := pending(session, settings):
        raise CheckFailed(f"{settings.target.keyspace} lacks {', '.join(missing)}: run `activity-aggregates migrate`")


def current_schema(session: Session, target: Target) -> Schema:
    """What is there; nothing where the keyspace is missing."""
    query = "SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name = %s"
    columns = frozenset((row.table_name, row.column_name) for row in session.execute(reading(query), [target.keyspace]))
    tables = frozenset(table for table, _ in columns)
    record = target.tables["aggregate_migrations"]
    if record not in tables:
        return Schema({}, tables, columns)
    query = f"SELECT number, checksum, applied_at FROM {target.keyspace}.{record}"
    rows = read(session, query, retry_seconds=_OPENING_SECONDS)
    return Schema({row.number: Record(row.checksum, row.applied_at) for row in rows}, tables, columns)


def check_columns(schema: Schema, target: Target) -> None:
    """Raises CheckFailed where a table is there without a column that it was created with: no migrate adds those."""
    columns = {"agg": target.columns.agg, "agg_last_updated": target.columns.agg_last_updated}
    created = [
        (target.tables[table], Template(column).substitute(columns))
        for migration in migrations()
        for table, column in migration.created_columns
    ]
    if missing := [f"{table}.{column}" for table, column in created if _lacks(schema, table, column)]:
        raise CheckFailed(
            f"{target.keyspace} has tables without columns that they were created with ({', '.join(missing)}): "
            "restore them, or correct target.columns or target.tables"
        )


def _lacks(schema: Schema, table: str, column: str) -> bool:
    return table in schema.tables and (table, column) not in schema.columns


def is_applied(migration: Migration, schema: Schema, target: Target) -> bool:
    """Whether it is recorded and its tables and columns are there, under the names that the settings give them now.

    Another checksum is an edited file, which no migrate can repair: CheckFailed.
    """
    record = schema.records.get(migration.number)
    if record and record.checksum != migration.checksum:
        raise CheckFailed(
            f"conf/schema/{migration.file} was edited after it was applied to {target.keyspace} at "
            f"{record.applied_at:%Y-%m-%dT%H:%M:%SZ}: restore it and write the change as a new numbered file"
        )
    are_there = all(target.tables[table] in schema.tables for table in migration.tables)
    are_columns_there = all((target.tables[table], column) in schema.columns for table, column in migration.columns)
    return record is not None and are_there and are_columns_there


def prepare(session: Session, target: Target) -> None:
    """Makes sure of the keyspace and of the table that records migrations."""
    keyspace = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"
    if not session.execute(reading(keyspace), [target.keyspace]).one():
        _create_keyspace(session, target)
    _change_schema(
        session,
        f"CREATE TABLE IF NOT EXISTS {target.keyspace}.{target.tables['aggregate_migrations']} "
        "(number int PRIMARY KEY, name text, checksum text, applied_at timestamp)",
    )


def apply(session: Session, migration: Migration, target: Target) -> None:
    """Executes the statements of a migration and records it."""
    names = {"keyspace": target.keyspace, **target.tables}
    names |= {"agg": target.columns.agg, "agg_last_updated": target.columns.agg_last_updated}
    for statement in statements(migration.text):
        change = Template(statement).substitute(names)
        if (added := _ADDED.match(statement)) is None:
            _change_schema(session, change)
        else:
            _add_column(session, target, added[1], added[2], change)
    session.execute(
        f"INSERT INTO {target.keyspace}.{target.tables['aggregate_migrations']} (number, name, checksum, applied_at) "
        "VALUES (%s, %s, %s, toTimestamp(now())) IF NOT EXISTS",
        [migration.number, migration.name, migration.checksum],
    )


def _create_keyspace(session: Session, target: Target) -> None:
    if target.replication is None:
        raise BadRequest(
            f"the keyspace {target.keyspace} does not exist: create it, or let migrate do so by setting "
            "target.replication, for example {class: NetworkTopologyStrategy, datacenter1: 3}"
        )
    tablets = "" if target.tablets is None else f" AND tablets = {{'enabled': {str(target.tablets).lower()}}}"
    try:
        _change_schema(
            session,
            f"CREATE KEYSPACE IF NOT EXISTS {target.keyspace} WITH replication = %s{tablets}",
            [target.replication],
        )
    except SyntaxException as error:
        if target.tablets is None:
            raise BadRequest(f"the keyspace {target.keyspace} cannot be created: {error}") from error
        raise BadRequest(
            f"target.tablets is {str(target.tablets).lower()} and this store knows no tablets: leave it null"
        ) from error
    except ConfigurationException as error:
        raise BadRequest(f"target.replication {target.replication} is refused: {error.message}") from error


def _add_column(session: Session, target: Target, table: str, column: str, change: str) -> None:
    """Unless an earlier attempt has added it, or another migrate does so at the same time."""
    if _is_column_there(session, target, table, column):
        return
    try:
        _change_schema(session, change)
    except InvalidRequest:
        if not _is_column_there(session, target, table, column):
            raise


def _is_column_there(session: Session, target: Target, table: str, column: str) -> bool:
    query = "SELECT column_name FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s"
    found = session.execute(reading(query), [target.keyspace, target.tables[table]])
    return column in {row.column_name for row in found}


def _change_schema(session: Session, statement: str, values: list[Any] | None = None) -> None:
    first_node = min(session.get_pools(), key=lambda pool: str(pool.host.address)).host
    result = session.execute(statement, values, host=first_node)
    if not result.response_future.is_schema_agreed:
        raise Unreachable(
            "the nodes of the cluster do not agree on the schema: find the one that is behind with "
            "`nodetool describecluster`, then run migrate again"
        )
