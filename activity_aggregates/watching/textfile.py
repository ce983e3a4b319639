"""`runs --prometheus`, and what every run does at its end: the metrics file for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import JobError
from activity_aggregates.store.connection import connection, open_session, translated
from activity_aggregates.store.lease import LEASE_TABLE, LeaseTicket
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.opening import open_ledger
from activity_aggregates.store.records import INCREMENTAL, RUN, VERIFY, RunRecord
from activity_aggregates.watching.prometheus import (
    Latest,
    State,
    command_of,
    has_succeeded,
    latest_by_command,
    write_metrics,
)

_NEWEST = 2000  # runs that are looked at in any case: with one an hour, of almost three months
_SCHEDULED = (RUN, INCREMENTAL, VERIFY)  # what is looked for among older ones
_LOOKED_BACK = timedelta(days=92)


def write_metrics_file(configuration: Configuration, environ: Mapping[str, str], path: Path, now: datetime) -> int:
    """Write the metrics of the ledger as it stands."""
    chosen = configuration.settings
    with open_session(connection(chosen.cassandra, environ)) as session:
        state = _state(session, open_ledger(session, chosen), chosen, now)
    write_metrics(path, state, {"target": chosen.target.keyspace, **chosen.prometheus.labels}, now)
    return 0


def _state(session: Session, ledger: Ledger, chosen: settings.Settings, now: datetime) -> State:
    """The latest runs of each command; the last full one that succeeded however long ago that was."""
    recent = enough(ledger.newest_first(), now - _LOOKED_BACK)
    latest = latest_by_command(recent)
    full = next((run for run in recent if run.is_full_success), None) or ledger.last_full_success()
    of_all = latest.get(RUN)
    if of_all is not None and of_all.success is None and full is not None and full.command == RUN:
        latest[RUN] = Latest(of_all.ended, full)
    return State(latest, full, _holder(session, recent, chosen))


def enough(runs: Iterable[RunRecord], since: datetime) -> list[RunRecord]:
    """The newest of these runs, and of older ones those of commands that have no success among the newest.

    A week's verification is not overlooked because runs of changed pairs, or the units of a backfill, are many. It is
    read on until each command of the schedule has a success, or to runs that began before `since`.
    """
    found: list[RunRecord] = []
    succeeded: set[str] = set()
    for at, run in enumerate(runs):
        if at >= _NEWEST and (run.started_at < since or succeeded.issuperset(_SCHEDULED)):
            break
        command = command_of(run)
        if at < _NEWEST or (command is not None and command not in succeeded):
            found.append(run)
        if command is not None and has_succeeded(run):
            succeeded.add(command)
    return found


def _holder(session: Session, recent: list[RunRecord], chosen: settings.Settings) -> RunRecord | None:
    """The run that holds the lease; None where it is free, and where it was left to expire by a run that has ended."""
    table = chosen.target.tables[LEASE_TABLE]
    ticket = LeaseTicket(chosen.target.keyspace, table, "", 0, 0.0, chosen.lease.consistency)
    with translated():
        found = ticket.look(session)
    return next((run for run in recent if found and run.run_id == found.run_id and run.is_under_way), None)


@contextmanager
def metrics_file_kept(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[None]:
    """However the block ends, write the file that the settings name; not being able to is a warning only."""
    try:
        yield
    finally:
        textfile = configuration.settings.prometheus.textfile
        if textfile:
            try:
                write_metrics_file(configuration, environ, Path(textfile), datetime.now(UTC))
            except JobError as error:
                logging.getLogger(__name__).warning("the metrics file stays as it was: %s", error)
