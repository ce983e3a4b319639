"""`runs`: the ledger as a table, one run in full, or the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.tables.cassandra import connection, open_session
from activity_aggregates.tables.ledger import Ledger, RunRecord
from activity_aggregates.tables.migrations import check_applied

_HEADER = ("run", "command", "as_of", "scope", "status", "seconds", "read", "refused", "written", "retracted")


def show_runs(
    configuration: Configuration,
    environ: Mapping[str, str],
    run_id: str | None,
    limit: int,
    as_json: bool,
    now: datetime,
) -> int:
    """Print the newest runs and the lag of the last success, or one run."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        ledger = open_ledger(session, configuration.settings)
        if run_id is not None:
            run = named_run(ledger, run_id)
            print(json.dumps(as_plain(run), indent=2) if as_json else in_full(run))
            return 0
        runs = ledger.recent(limit)
        success = ledger.last_success()
    if as_json:
        print(json.dumps([as_plain(run) for run in runs], indent=2))
    else:
        print(as_table(_HEADER, [_cells(run) for run in runs]))
        print(_lag(success, now))
    return 0


def open_ledger(session: Session, chosen: settings.Settings) -> Ledger:
    """The ledger; raises CheckFailed where its table is not there yet."""
    check_applied(session, chosen)
    target = chosen.target
    return Ledger(session, target.keyspace, target.tables["aggregate_runs"])


def named_run(ledger: Ledger, run_id: str) -> RunRecord:
    """The run of this id, or the one that started last for `last`."""
    run = ledger.latest() if run_id == "last" else ledger.get(run_id)
    if run is None and run_id == "last":
        raise BadRequest("last names no run, the ledger is empty: start one with `activity-aggregates run`")
    if run is None:
        raise BadRequest(f"{run_id} is no run of the ledger: list them with `activity-aggregates runs`")
    return run


def as_plain(run: RunRecord) -> dict[str, Any]:
    """A record in the types of JSON, instants in ISO-8601."""
    values = asdict(run) | {"scope": json.loads(run.scope.to_json())}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def in_full(run: RunRecord) -> str:
    """A line for each field, count and phase of a run."""
    plain = as_plain(run) | {"scope": run.scope.describe()}
    nested: dict[str, Mapping[str, float]] = {"counts": run.counts, "phases": run.phases}
    lines = [(name, value) for name, value in plain.items() if name not in nested and value is not None]
    for group, values in nested.items():
        lines += [(f"{group} {name}", value) for name, value in sorted(values.items())]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def as_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _cells(run: RunRecord) -> tuple[str, ...]:
    seconds = f"{(run.finished_at - run.started_at).total_seconds():.0f}" if run.finished_at else "-"
    read = sum(rows for name, rows in run.counts.items() if name.startswith("read."))
    refused = sum(rows for name, rows in run.counts.items() if name.startswith("refused."))
    retracted = sum(rows for name, rows in run.counts.items() if name.startswith("retracted."))
    numbers = (str(read), str(refused), str(run.counts.get("written", "-")), str(retracted))
    return (
        run.run_id,
        _command(run),
        f"{run.as_of:%Y-%m-%dT%H:%M:%S}Z",
        run.scope.describe(),
        run.status,
        seconds,
        *numbers,
    )


def _command(run: RunRecord) -> str:
    """What was called, a backfill without the digest of its record."""
    return run.command.partition("@")[0]


def _lag(success: RunRecord | None, now: datetime) -> str:
    if success is None:
        return "no full run has succeeded yet"
    hours = (now - success.as_of).total_seconds() / 3600
    return f"the last full success, {success.run_id}, is as of {hours:.1f} hours ago"
