"""`runs --prometheus`, and what every run does at its end: the metrics file for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import JobError
from activity_aggregates.report.prometheus import write_metrics
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.opening import open_ledger


def write_metrics_file(configuration: Configuration, environ: Mapping[str, str], path: Path, now: datetime) -> int:
    """Write the metrics of the ledger as it stands."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        ledger = open_ledger(session, configuration.settings)
        write_metrics(path, ledger.last_ended(), ledger.last_success(), now)
    return 0


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
