"""Creates the platform's tables and loads the sample into them, unless it is there already, or other rows are."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, PreparedStatement

from activity_aggregates.errors import BadRequest
from scripts.sample.command import on_cassandra
from scripts.sample.data import Row, tables
from scripts.sample.schema import KEYSPACES, create_source_tables

IN_FLIGHT = 50  # requests
LOOKED_AT = 100  # rows of each table
IN_BATCH = 20  # rows; the server warns of batches above 5 KiB


def main(argv: Sequence[str]) -> int:
    return on_cassandra("load", __doc__, argv, lambda session, _: load(session))


def load(session: Session) -> int:
    sample = tables()
    check_others(session, sample)
    create_source_tables(session, KEYSPACES)
    if is_loaded(session, sample):
        say("already there")
        return 0
    for name, rows in sample.items():
        write(session, name, rows)
    return 0


def check_others(session: Session, sample: dict[str, list[Row]]) -> None:
    """Raises BadRequest where a table has rows of a platform: the sample is not mixed into them."""
    known = session.cluster.metadata.keyspaces
    for name, rows in sample.items():
        keyspace, table = full_name(name).split(".")
        if keyspace not in known or table not in known[keyspace].tables:
            continue
        key = next(iter(rows[0]))
        found = {row[0] for row in session.execute(f"SELECT {key} FROM {keyspace}.{table} LIMIT {LOOKED_AT}")}
        if others := sorted(found - {row[key] for row in rows}):
            raise BadRequest(
                f"{keyspace}.{table} has rows that are not the sample's, such as one of {key} {others[0]!r}: name a "
                "Cassandra that holds no platform's data in CASSANDRA_CONTACT_POINTS, or unset it to have one started"
            )


def is_loaded(session: Session, sample: dict[str, list[Row]]) -> bool:
    """Whether the last row of the last table is there: a load that was interrupted is done again."""
    name, rows = list(sample.items())[-1]
    return bool(session.execute(f"SELECT id FROM {full_name(name)} WHERE id = %s", [rows[-1]["id"]]).one())


def write(session: Session, name: str, rows: list[Row]) -> None:
    columns = list(rows[0])
    marks = ", ".join("?" for _ in columns)
    insert = session.prepare(f"INSERT INTO {full_name(name)} ({', '.join(columns)}) VALUES ({marks})")
    execute_concurrent(session, [(batch, None) for batch in batches(insert, rows)], concurrency=IN_FLIGHT)
    say(f"{full_name(name)}: {len(rows):,} rows")


def batches(insert: PreparedStatement, rows: list[Row]) -> Iterator[BatchStatement]:
    """A few neighbouring rows of one partition, whose key is the first column, in each."""
    values = [tuple(map(set_or_unset, row.values())) for row in rows]
    for _, same in groupby(values, key=itemgetter(0)):
        while some := list(islice(same, IN_BATCH)):
            batch = BatchStatement(BatchType.UNLOGGED)
            for row in some:
                batch.add(insert, row)
            yield batch


def set_or_unset(value: object) -> object:
    """A null would be written as a tombstone."""
    return UNSET_VALUE if value is None else value


def full_name(name: str) -> str:
    keyspace, table = name.split(".")
    return f"{KEYSPACES[keyspace]}.{table}"


def say(what: str) -> None:
    print(f"sample: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
