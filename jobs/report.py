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
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.changes.staged import largest_changes, local_changes
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol.asked import unit_of
from activity_aggregates.protocol.order import last_full, table_sizes
from activity_aggregates.report.as_json import plain
from activity_aggregates.report.contents import LargestChanges, Report, limits_beside
from activity_aggregates.report.days import read_days
from activity_aggregates.report.limits import Limit
from activity_aggregates.report.names import Activity, names_of, quiz_of
from activity_aggregates.report.page import MOST_METRICS, render
from activity_aggregates.report.standing import read_standing
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.ledger import Ledger, RunRecord
from activity_aggregates.store.opening import named_run, open_ledger
from activity_aggregates.store.targets import AGGREGATE_TABLES
from metrics.declarations import DATES, SCORES

EXAMPLES = {
    "report last --conf settings.yaml": "the newest run, as report-<run id>.html",
    "report 20260131T060000Z-3f9a2c --conf settings.yaml --out run.html": "this one, to a file",
    "report last --conf settings.yaml --json": "the same as JSON",
}
_ACTIVITIES = 20  # courses, and quizzes
_CONTEXTS = 200  # whose days are added up
_RUNS = 200
_DRAWN = timedelta(days=92)  # of the totals of full runs, where the runs above reach back less far
_DAY = timedelta(days=1)  # the days of activity_day_agg are those of a time zone
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
    text = json.dumps(plain(contents), indent=2) if as_json else render(contents)
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
    ledger, target = open_ledger(session, chosen), chosen.target
    run = named_run(ledger, run_id)
    history = ledger.until(run, _RUNS)
    changes = _changes(run)
    has_days, has_scores = (family in chosen.metrics.families for family in (DATES, SCORES))
    standing = read_standing(session, target, _ACTIVITIES, _CONTEXTS, has_scores=has_scores)
    return Report(
        run=run,
        written_at=now,
        changes=changes,
        names=names_of(session, target, _shown(changes or ())),
        limits=limits_of(run, chosen.limits, ledger) if run.is_limited else (),
        standing=standing,
        days=read_days(session, target, standing.largest_contexts, (now + _DAY).date()) if has_days else None,
        history=tuple(history),
        full_runs=tuple(full_runs(run, ledger, history)),
    )


def full_runs(run: RunRecord, ledger: Ledger, history: Sequence[RunRecord]) -> list[RunRecord]:
    """The full successes up to a run, of whom there may be none among those of its `history`."""
    runs = {each.run_id: each for each in (*history, *ledger.since(run.started_at - _DRAWN))}
    return [each for each in runs.values() if each.is_full_success and each.started_at <= run.started_at]


def _shown(changes: Sequence[LargestChanges]) -> Iterator[Activity]:
    """The activities that changed rows are about, and the quizzes of their entries."""
    for each in changes:
        for row in each.rows:
            yield each.activity(row)
            yield from filter(None, (quiz_of(entry.metric) for entry in row.entries[:MOST_METRICS]))


def limits_of(run: RunRecord, limits: settings.Limits, ledger: Ledger) -> tuple[Limit, ...]:
    """Beside the same numbers that the run was held to."""
    earlier = ledger.history(before=run)
    full = last_full(earlier)
    counted_before = full.counts.get("read.enrolments", 0) if full else 0
    return limits_beside(run.counts, limits, counted_before, table_sizes(earlier))


def _changes(run: RunRecord) -> tuple[LargestChanges, ...] | None:
    """The largest changes of each table that has some; None where a change set is not to be had."""
    found, unit = [], unit_of(run)
    for table in _TABLES:
        if not run.counts.get(f"changed.{table.name}"):
            continue
        folder = local_changes(run.staging_dir, table)
        if folder is None:
            return None
        if largest := largest_changes(folder, table, _ROWS_PER_TABLE, None if unit is None else unit.contexts):
            found.append(LargestChanges(table, tuple(largest)))
    return tuple(found)
