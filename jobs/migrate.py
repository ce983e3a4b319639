"""`migrate`: brings the schema of the target keyspace to what this version of the software needs."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("migrate")

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import CheckFailed
from activity_aggregates.store import migrations
from activity_aggregates.store.connection import connection, open_session

EXAMPLES = {
    "migrate --conf settings.yaml": "create the tables, or bring them up to date",
    "migrate --conf settings.yaml --check": "exit 1 where something is pending",
    'migrate --set "target.replication={class: SimpleStrategy, replication_factor: 1}"': "and the keyspace, for a try",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 where something is pending")


def call(configuration: Configuration, arguments: Namespace) -> int:
    return migrate(configuration, os.environ, arguments.check)


def migrate(configuration: Configuration, environ: Mapping[str, str], check: bool) -> int:
    """Applies what is pending, one line per migration; with `check` only says it, and fails if anything is."""
    target = configuration.settings.target
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        schema = migrations.current_schema(session, target)
        migrations.check_columns(schema, target)
        known = migrations.migrations()
        outstanding = [migration for migration in known if not migrations.is_applied(migration, schema, target)]
        if outstanding and not check:
            migrations.prepare(session, target)
        if not outstanding:
            applied_at = schema.records[known[-1].number].applied_at
            print(f"{target.keyspace} is up to date; {known[-1].name}: applied at {applied_at:%Y-%m-%dT%H:%M:%SZ}")
            return 0
        for migration in known:
            if migration not in outstanding:
                print(f"{migration.name}: applied at {schema.records[migration.number].applied_at:%Y-%m-%dT%H:%M:%SZ}")
            elif check:
                print(f"{migration.name}: pending")
            else:
                migrations.apply(session, migration, target)
                print(f"{migration.name}: applied now")
    if check and outstanding:
        names = ", ".join(migration.name for migration in outstanding)
        raise CheckFailed(f"{target.keyspace} is behind by {names}: run `activity-aggregates migrate`")
    return 0
