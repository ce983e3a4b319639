"""What the commands of this folder share: their one option, the session, and how they fail."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import configuration
from activity_aggregates.errors import JobError
from activity_aggregates.settings import Settings
from activity_aggregates.store.connection import connection, open_session


def on_cassandra(name: str, about: str | None, argv: Sequence[str], work: Callable[[Session, Settings], int]) -> int:
    """Do the work where the settings say that Cassandra is; returns its exit code, or that of the error."""
    parser = argparse.ArgumentParser(prog=f"python -m scripts.sample.{name}", description=about)
    parser.add_argument("--conf", type=Path, help="the settings that say where Cassandra is")
    arguments = parser.parse_args(argv)
    try:
        settings = configuration.load(arguments.conf, os.environ, {}).settings
        with open_session(connection(settings.cassandra, os.environ)) as session:
            return work(session, settings)
    except JobError as error:
        print(error, file=sys.stderr)
        return error.exit_code
