"""`report`: one run as a page with plots, or the same as JSON."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("report")

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.changes.staged import largest_changes, local_changes
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.report.completion import completion_by_course
from activity_aggregates.report.contents import Report, TableChanges, refusals, rows_by_table
from activity_aggregates.report.outcome import outcome
from activity_aggregates.report.page import render
from activity_aggregates.report.runs import as_plain
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.opening import named_run, open_ledger
from activity_aggregates.store.targets import AGGREGATE_TABLES

EXAMPLES = {
    "report last --conf settings.yaml": "the newest run, as report-<run id>.html",
    "report 20260131T060000Z-3f9a2c --conf settings.yaml --out run.html": "this one, to a file",
    "report last --conf settings.yaml --json": "the same as JSON",
}
_COURSES = 20
_RUNS = 30
_ROWS_PER_TABLE = 10
_TABLES = sorted(AGGREGATE_TABLES, key=lambda table: "user_id" in table.key)  # first those of more than one learner


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or last")
    parser.add_argument("--out", type=Path, metavar="FILE", help="(report-<run id>.html; with --json the output)")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def call(configuration: Configuration, arguments: Namespace) -> int:
    return report(configuration, os.environ, arguments.run, arguments.out, arguments.json, datetime.now(UTC))


def report(
    configuration: Configuration,
    environ: Mapping[str, str],
    run_id: str,
    out: Path | None,
    as_json: bool,
    now: datetime,
) -> int:
    """Write the page and print its path; JSON is printed unless a file is named."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        contents = _read(session, configuration.settings, run_id, now)
    text = json.dumps(_plain(contents), indent=2) if as_json else render(contents)
    if as_json and out is None:
        print(text)
        return 0
    path = out or Path(f"report-{contents.run.run_id}.html")
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise BadRequest(
            f"the report cannot be written to {path} ({error.strerror}): name a file with --out"
        ) from error
    print(path)
    return 0


def _read(session: Session, chosen: settings.Settings, run_id: str, now: datetime) -> Report:
    ledger = open_ledger(session, chosen)
    run = named_run(ledger, run_id)
    return Report(
        run=run,
        written_at=now,
        changes=_changes(run),
        completion=completion_by_course(session, chosen.target, _COURSES),
        history=tuple(ledger.until(run, _RUNS)),
    )


def _changes(run: RunRecord) -> tuple[TableChanges, ...] | None:
    """The largest changes of each table that has some; None where a change set is not to be had."""
    found = []
    for table in _TABLES:
        if not run.counts.get(f"changed.{table.name}"):
            continue
        folder = local_changes(run.staging_dir, table)
        if folder is None:
            return None
        found.append(TableChanges(table, tuple(largest_changes(folder, table, _ROWS_PER_TABLE))))
    return tuple(found)


def _plain(contents: Report) -> dict[str, Any]:
    """The report in the types of JSON."""
    counts = contents.run.counts
    completion = asdict(contents.completion)
    for course, values in zip(contents.completion.largest, completion["largest"], strict=True):
        values["percentage"] = round(course.percentage, 2)
    return {
        "run": as_plain(contents.run),
        "outcome": outcome(contents.run),
        "written_at": contents.written_at.isoformat(),
        "rows_by_table": [asdict(row) for row in rows_by_table(counts)],
        "refusals": [asdict(refusal) for refusal in refusals(counts)],
        "largest_changes": None
        if contents.changes is None
        else {each.table.name: [asdict(row) for row in each.rows] for each in contents.changes},
        "completion": completion,
        "history": [as_plain(run) for run in contents.history],
    }
