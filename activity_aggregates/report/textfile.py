"""`runs --prometheus`, and what every run does at its end: the metrics file for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import JobError
from activity_aggregates.report.prometheus import Latest, latest_by_command, write_metrics
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.opening import open_ledger
from activity_aggregates.store.records import RUN

_LOOKED_AT = 2000  # runs: with one an hour, of almost three months


def write_metrics_file(configuration: Configuration, environ: Mapping[str, str], path: Path, now: datetime) -> int:
    """Write the metrics of the ledger as it stands."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        latest = _latest(open_ledger(session, configuration.settings))
    write_metrics(path, latest, configuration.settings.prometheus.labels, now)
    return 0


def _latest(ledger: Ledger) -> dict[str, Latest]:
    """The latest runs of each command; the last full one that succeeded however long ago that was."""
    latest = latest_by_command(ledger.recent(_LOOKED_AT))
    full = latest.get(RUN)
    if full is not None and full.success is None:
        latest[RUN] = replace(full, success=ledger.last_full_success())
    return latest


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
