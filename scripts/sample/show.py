"""Shows some rows of every table that the run writes, its record, and how many rows it wrote."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import configuration
from activity_aggregates.errors import JobError
from activity_aggregates.settings import Target
from activity_aggregates.tables.cassandra import connection, open_session
from activity_aggregates.tables.ledger import Ledger, RunRecord
from activity_aggregates.tables.stored import METADATA_COLUMN
from activity_aggregates.tables.targets import ACTIVITY_METADATA

ROWS = 5
TABLES = {
    "activity_user_agg": ["activity_type", "activity_id", "user_id", "context_id"],
    "activity_agg": ["activity_type", "activity_id", "context_id"],
    "group_activity_agg": ["group_id", "activity_type", "activity_id"],
    "group_activity_user_agg": ["group_id", "activity_type", "activity_id", "user_id"],
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.sample.show", description=__doc__)
    parser.add_argument("--conf", type=Path, help="the settings that say where Cassandra is")
    arguments = parser.parse_args(argv)
    try:
        settings = configuration.load(arguments.conf, os.environ, {}).settings
        with open_session(connection(settings.cassandra, os.environ)) as session:
            for table, keys in TABLES.items():
                show_table(session, settings.target, table, keys, settings.target.columns.agg)
            show_table(session, settings.target, ACTIVITY_METADATA.name, [*ACTIVITY_METADATA.key], METADATA_COLUMN)
            run = Ledger(session, settings.target.keyspace, settings.target.tables["aggregate_runs"]).latest()
    except JobError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if run is None:
        print("no run yet: start one with scripts/run", file=sys.stderr)
        return 1
    show_run(run)
    return 0


def show_table(session: Session, target: Target, table: str, keys: list[str], column: str) -> None:
    """A few rows, in the order of the store, which mixes types of activities."""
    name = f"{target.keyspace}.{target.tables[table]}"
    rows = session.execute(f"SELECT {', '.join(keys)}, {column} FROM {name} LIMIT {ROWS}")
    print(f"\n{name}")
    print_aligned([[*keys, column], *([*key, entries(found or {})] for *key, found in rows)])


def show_run(run: RunRecord) -> None:
    print(f"\nrun {run.run_id}: {run.status}, as of {run.as_of.isoformat()} {run.message}".rstrip())
    print_aligned([[name, f"{seconds:.1f} s"] for name, seconds in run.phases.items()])
    print_aligned([[name, f"{count:,}"] for name, count in sorted(run.counts.items())])
    print(f"\n{run.counts.get('written', 0)} rows written")


def entries(found: Mapping[str, float | str]) -> str:
    shown = {name: value if isinstance(value, str) else f"{value:g}" for name, value in found.items()}
    return " ".join(f"{name}={value}" for name, value in sorted(shown.items()))


def print_aligned(lines: list[list[str]]) -> None:
    """Columns as wide as their widest cell; the last one is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
