"""`erase`: learners leave all tables for good, and what they were counted in is recomputed.

The hashes of their ids come first: from then on every run leaves them out. Then their contexts are computed without
them and written, then their rows go as a whole. An erase that died is finished by the next one; where it had not kept
all hashes yet, by one for the same ids alone.
"""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("erase")

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from activity_aggregates.configuration import Configuration
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution, now_in_ms
from activity_aggregates.request.flags import USERS_FILE, add_wait
from activity_aggregates.request.scope import Scope, users_of
from activity_aggregates.run.erasing import SparkRows
from activity_aggregates.run.flow import RunRequest, Surroundings, holding, prepare, stage, surroundings, tell_found
from activity_aggregates.store.records import APPLYING, DRY_RUN, ERASE, SUCCEEDED, UNKEPT
from activity_aggregates.watching.textfile import metrics_file_kept

EXAMPLES = {
    "erase --users-file leavers.txt --conf settings.yaml --dry-run": "count the rows",
    "erase --users-file leavers.txt --conf settings.yaml": "erase them; again, to finish an erase that died",
    "erase --users-file leavers.txt --conf settings.yaml --wait 3600": "after the run that is under way",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--users-file", required=True, **USERS_FILE)
    parser.add_argument("--dry-run", action="store_true", help="count the rows and erase nothing")
    add_wait(parser)


def call(configuration: Configuration, arguments: Namespace) -> int:
    user_ids = users_of(arguments.users_file)
    with metrics_file_kept(configuration, os.environ):
        return erase(configuration, os.environ, user_ids, arguments.dry_run, arguments.wait)


class Rows(Protocol):
    """The rows of learners, in the tables and where changes are staged."""

    def count(self, execution: Execution, asked: Asked) -> Mapping[str, int]:
        """By table the number of rows of everybody who was erased; among the counts is how many ids were found."""

    def delete(self, execution: Execution) -> int:
        """Delete the rows of everybody who was erased; returns how many there were in the aggregate tables."""

    def clear_announced(self, execution: Execution) -> None:
        """Take everybody who was erased out of the files of completions."""

    def clear_staged(self, execution: Execution) -> int:
        """Delete the staged changes of all runs, which may name learners; returns of how many."""


def erase(
    configuration: Configuration, environ: Mapping[str, str], user_ids: Iterable[str], dry_run: bool, wait: float
) -> int:
    """Erase these learners; 0 also where another run holds the lease, which is said."""
    with surroundings(configuration, environ) as around:
        return erase_learners(around, SparkRows(), frozenset(user_ids), dry_run, wait)


def erase_learners(around: Surroundings, rows: Rows, user_ids: frozenset[str], dry_run: bool, wait: float) -> int:
    """The order of events of an erase, whatever the rows are deleted by."""
    around.erased.required_secret("erase keeps hashes of the ids, for which it needs a secret")
    request = RunRequest(Scope(users=user_ids), dry_run=dry_run, wait=wait, command=ERASE)
    with holding(around, request) as execution:
        if execution is None or not execution.begin(None):
            return 0
        execution.work.start(execution)
        if dry_run:
            execution.erased = execution.erased.with_users(user_ids)
            return _show(execution, rows, Asked(erasing=user_ids))
        return _erase(around, execution, request, rows)


def _erase(around: Surroundings, execution: Execution, request: RunRequest, rows: Rows) -> int:
    # What a dead run has staged may be applied now, and never again once the hashes are there.
    asked = prepare(execution, request)
    execution.lease.check()  # who has lost it must not leave a record by which it is taken for half-written
    execution.counts[UNKEPT] = len(request.scope.users)
    execution.save(status=APPLYING, began_writing=True)
    execution.lease.check()  # whoever holds it after this one knows of the hashes from the start
    recorded_at = now_in_ms(execution.clock)
    execution.erased = around.erased.record(execution.session, execution.erased, request.scope.users, recorded_at)
    execution.counts[UNKEPT] = 0
    execution.save()
    stage(execution, asked)
    execution.work.announce(execution, None)
    execution.lease.check()
    with execution.lease.written_under():
        execution.work.apply(execution, None)
        erased = rows.delete(execution)
    rows.clear_announced(execution)
    deleted = rows.clear_staged(execution)
    execution.steps.say(f"deleted the staged changes of {deleted} runs, this one's included, which may name learners")
    execution.ledger.seal_scopes()
    execution.end(SUCCEEDED)
    print(f"{erased} rows erased, {execution.counts['written']} rows written")
    return 0


def _show(execution: Execution, rows: Rows, asked: Asked) -> int:
    """What would be erased, in numbers; nothing is shown or kept by which anybody could be named."""
    execution.save(staging_dir=execution.work.create_directory(execution))
    try:
        found = rows.count(execution, asked)
    finally:
        execution.work.tidy(execution)
    print("dry run: nothing was erased")
    tell_found(execution)
    for name, count in found.items():
        print(f"{name}: {count} rows would be erased")
    execution.end(DRY_RUN)
    return 0
