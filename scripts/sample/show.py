"""Shows some rows of every table that the run writes, its record, and how many rows it wrote."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cassandra.cluster import Session

from activity_aggregates.settings import Settings, Target
from activity_aggregates.store.ledger import Ledger, RunRecord
from activity_aggregates.store.stored_rows import METADATA_COLUMN
from activity_aggregates.store.targets import ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable
from scripts.sample.command import on_cassandra

ROWS = 5


def main(argv: Sequence[str]) -> int:
    return on_cassandra("show", __doc__, argv, show)


def show(session: Session, settings: Settings) -> int:
    target = settings.target
    for table in AGGREGATE_TABLES:
        show_table(session, target, table, target.columns.agg)
    show_table(session, target, ACTIVITY_METADATA, METADATA_COLUMN)
    run = Ledger(session, target.keyspace, target.tables["aggregate_runs"]).latest()
    if run is None:
        print("no run yet: start one with scripts/run", file=sys.stderr)
        return 1
    show_run(run)
    return 0


def show_table(session: Session, target: Target, table: TargetTable, column: str) -> None:
    """A few rows, in the order of the store, which mixes types of activities."""
    name, keys = f"{target.keyspace}.{target.tables[table.name]}", table.key
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
