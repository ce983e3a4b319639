"""`runs --prometheus`, and what every run does at its end: the metrics file for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import JobError
from activity_aggregates.store.connection import connection, open_session, translated
from activity_aggregates.store.lease import TABLE, LeaseTicket
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.opening import open_ledger
from activity_aggregates.store.records import RUN, RunRecord
from activity_aggregates.watching.prometheus import Latest, State, latest_by_command, write_metrics

_LOOKED_AT = 2000  # runs: with one an hour, of almost three months


def write_metrics_file(configuration: Configuration, environ: Mapping[str, str], path: Path, now: datetime) -> int:
    """Write the metrics of the ledger as it stands."""
    chosen = configuration.settings
    with open_session(connection(chosen.cassandra, environ)) as session:
        state = _state(session, open_ledger(session, chosen), chosen)
    write_metrics(path, state, {"target": chosen.target.keyspace, **chosen.prometheus.labels}, now)
    return 0


def _state(session: Session, ledger: Ledger, chosen: settings.Settings) -> State:
    """The latest runs of each command; the last full one that succeeded however long ago that was."""
    recent = ledger.recent(_LOOKED_AT)
    latest = latest_by_command(recent)
    full = next((run for run in recent if run.is_full_success), None) or ledger.last_full_success()
    of_all = latest.get(RUN)
    if of_all is not None and of_all.success is None and full is not None and full.command == RUN:
        latest[RUN] = Latest(of_all.ended, full)
    return State(latest, full, _holder(session, recent, chosen))


def _holder(session: Session, recent: list[RunRecord], chosen: settings.Settings) -> RunRecord | None:
    """The run that holds the lease; None where it is free, and where it was left to expire by a run that has ended."""
    ticket = LeaseTicket(chosen.target.keyspace, chosen.target.tables[TABLE], "", 0, 0.0, chosen.lease.consistency)
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
