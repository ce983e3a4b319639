"""`runs`: the ledger as a table, one run in full, or the same as JSON."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("runs")

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.report.runs import as_plain, as_table, in_full
from activity_aggregates.request.flags import at_least_one
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.opening import named_run, open_ledger
from activity_aggregates.store.records import (
    counted,
    retracted_rows,
)
from activity_aggregates.terminal.console import console, is_terminal
from activity_aggregates.watching.textfile import write_metrics_file

EXAMPLES = {
    "runs --conf settings.yaml --limit 5": "the newest, and how old the last full success is",
    "runs last --conf settings.yaml": "one in full",
    "runs --conf settings.yaml --prometheus /var/lib/node_exporter/aggregates.prom": "metrics for node_exporter",
}
_NEWEST = 20
_HEADER = ("run", "command", "as_of", "scope", "status", "seconds", "read", "refused", "written", "retracted")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="show this run in full: its id, or last")
    parser.add_argument("--limit", type=at_least_one, metavar="N", help=f"how many of the newest ({_NEWEST})")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--prometheus", type=Path, metavar="FILE", help="write the metrics for Prometheus and nothing else"
    )


def call(configuration: Configuration, arguments: Namespace) -> int:
    _check(arguments)
    now = datetime.now(UTC)
    if arguments.prometheus is not None:
        return write_metrics_file(configuration, os.environ, arguments.prometheus, now)
    return show_runs(configuration, os.environ, arguments.run, arguments.limit or _NEWEST, arguments.json, now)


def _check(arguments: Namespace) -> None:
    """Refuses what would not be looked at."""
    choices = {
        f"{arguments.run}": arguments.run is not None,
        f"--limit {arguments.limit}": arguments.limit is not None,
        "--json": arguments.json,
    }
    given = [flag for flag, is_given in choices.items() if is_given]
    if arguments.prometheus is not None and given:
        file = arguments.prometheus
        raise BadRequest(f"--prometheus {file} writes the metrics and nothing else: leave out {', '.join(given)}")
    if arguments.run is not None and arguments.limit is not None:
        raise BadRequest(f"{given[0]} is one run, and {given[1]} is how many of the newest: leave out one of them")


def show_runs(
    configuration: Configuration,
    environ: Mapping[str, str],
    run_id: str | None,
    limit: int,
    as_json: bool,
    now: datetime,
) -> int:
    """Print the newest runs and how old the last full success is, or one run."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        ledger = open_ledger(session, configuration.settings)
        if run_id is not None:
            run = named_run(ledger, run_id)
            if as_json:
                print(json.dumps(as_plain(run), indent=2))
            else:
                _show(run)
            return 0
        runs = ledger.recent(limit)
        full, newest = ledger.last_full_success(), ledger.last_success()
    if as_json:
        print(json.dumps([as_plain(run) for run in runs], indent=2))
    else:
        _list(runs)
        print(ages(full, newest, now))
    return 0


def _show(run: RunRecord) -> None:
    if not is_terminal(sys.stdout):
        print(in_full(run))
        return
    from activity_aggregates.terminal.runs import one

    one(console(sys.stdout), run)


def _list(runs: Sequence[RunRecord]) -> None:
    rows = [_cells(run) for run in runs]
    if not is_terminal(sys.stdout):
        print(as_table(_HEADER, rows))
        return
    from activity_aggregates.terminal.runs import newest

    newest(console(sys.stdout), _HEADER, rows)


def _cells(run: RunRecord) -> tuple[str, ...]:
    seconds = f"{(run.finished_at - run.started_at).total_seconds():.0f}" if run.finished_at else "-"
    read, refused = (sum(counted(run.counts, kind).values()) for kind in ("read", "refused"))
    numbers = (str(read), str(refused), str(run.counts.get("written", "-")), str(retracted_rows(run.counts)))
    return (
        run.run_id,
        run.called,
        f"{run.as_of:%Y-%m-%dT%H:%M:%S}Z",
        run.scope.describe(),
        run.status,
        seconds,
        *numbers,
    )


def ages(full: RunRecord | None, newest: RunRecord | None, now: datetime) -> str:
    """How old the last full success is, and on a line of its own the last success, where that is another run.

    Incremental runs succeed hour by hour while the nightly one fails, so neither age tells the other.
    """
    told = ["no full run has succeeded yet" if full is None else _age("the last full success", full, now)]
    if newest is not None and (full is None or newest.run_id != full.run_id):
        told.append(_age("the last success", newest, now))
    return "\n".join(told)


def _age(which: str, run: RunRecord, now: datetime) -> str:
    hours = (now - run.as_of).total_seconds() / 3600
    return f"{which}, {run.run_id}, is as of {hours:.1f} hours ago"
