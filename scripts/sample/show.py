"""Shows some rows of every table that the newest run wrote to, and its record; a few lines where it wrote nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cassandra.cluster import Session

from activity_aggregates.report.outcome import outcome
from activity_aggregates.report.values import shown
from activity_aggregates.settings import Settings, Target
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.records import SUCCEEDED, RunRecord
from activity_aggregates.store.targets import ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable
from scripts.sample.command import on_cassandra

ROWS = 5
LONGEST_PHASES = 3


def main(argv: Sequence[str]) -> int:
    return on_cassandra("show", __doc__, argv, show)


def show(session: Session, settings: Settings) -> int:
    target = settings.target
    run = Ledger(session, target.keyspace, target.tables["aggregate_runs"]).latest()
    if run is None:
        print("no run yet: start one with scripts/run", file=sys.stderr)
        return 1
    written = run.counts.get("written", 0)
    if written:
        for table in AGGREGATE_TABLES:
            show_table(session, target, table, target.columns.agg)
        show_table(session, target, ACTIVITY_METADATA, ACTIVITY_METADATA.column)
        show_run(run)
    else:
        show_shortly(run, target)
    print(f"{written} rows written")
    return 0


def show_table(session: Session, target: Target, table: TargetTable, column: str) -> None:
    """A few rows, in the order of the store, which mixes types of activities."""
    name, keys = f"{target.keyspace}.{target.tables[table.name]}", table.key
    rows = session.execute(f"SELECT {', '.join(keys)}, {column} FROM {name} LIMIT {ROWS}")
    print(f"\n{name}")
    print_aligned([[*keys, column], *([*map(str, key), entries(found or {})] for *key, found in rows)])


def show_run(run: RunRecord) -> None:
    """The record; what was counted and not met is left out."""
    print(f"\nrun {run.run_id}: {run.status}, as of {run.as_of.isoformat()} {run.message}".rstrip())
    print_aligned([[name, f"{seconds:.1f} s"] for name, seconds in run.phases.items()])
    print_aligned([[name, f"{count:,}"] for name, count in sorted(run.counts.items()) if count])
    print()


def show_shortly(run: RunRecord, target: Target) -> None:
    """What a run did that has written nothing, and where the rows are that it found."""
    longest = sorted(run.phases.items(), key=lambda phase: -phase[1])[:LONGEST_PHASES]
    stored = sum(run.counts.get(f"stored.{table.name}", 0) for table in AGGREGATE_TABLES)
    is_news = run.status != SUCCEEDED
    print(
        outcome(run)
        if is_news
        else f"nothing has changed: the {stored:,} stored rows are as they would be computed now"
    )
    print("it took longest to " + ", ".join(f"{name} ({seconds:.1f} s)" for name, seconds in longest))
    print(f'rows: scripts/cassandra cql "SELECT * FROM {target.keyspace}.{target.tables["activity_agg"]} LIMIT 3"')


def entries(found: Mapping[str, float | str]) -> str:
    texts = {name: value if isinstance(value, str) else shown(value) for name, value in found.items()}
    return " ".join(f"{name}={value}" for name, value in sorted(texts.items()))


def print_aligned(lines: list[list[str]]) -> None:
    """Columns as wide as their widest cell; the last one is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
