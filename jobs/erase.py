"""`erase`: learners leave all tables for good, and what they were counted in is recomputed.

The hashes of their ids come first, then a full run, which already leaves them out, then their rows as a whole. Each
step finds for itself what is left to do, so an erase that died is finished by the same command.
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

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.staging import RunDirectory, changed_rows
from activity_aggregates.configuration import Configuration
from activity_aggregates.report.textfile import metrics_file_kept
from activity_aggregates.request.flags import add_wait
from activity_aggregates.request.instants import epoch_milliseconds, store_clock
from activity_aggregates.request.scope import Scope, users_file
from activity_aggregates.run.applying import place_of, send_rows, write_staged
from activity_aggregates.run.execution import Execution, now_in_ms
from activity_aggregates.run.flow import RunRequest, executing, stage, start_spark
from activity_aggregates.sources.erased_rows import erased_rows
from activity_aggregates.spark.kept import materialised
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.erased import ErasedTable, erased_table
from activity_aggregates.store.ledger import APPLYING, DRY_RUN, SUCCEEDED
from activity_aggregates.store.quarantine import QUARANTINE, QUARANTINE_KEY, quarantined_users
from activity_aggregates.store.stored_rows import Stored
from activity_aggregates.store.targets import ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG
from activity_aggregates.writing.apply import DeletePlan

EXAMPLES = {
    "erase --users-file leavers.txt --conf settings.yaml --dry-run": "count the rows",
    "erase --users-file leavers.txt --conf settings.yaml": "erase them; again, to finish an erase that died",
    "erase --users-file leavers.txt --conf settings.yaml --wait 3600": "after the run that is under way",
}
# The tables with rows of learners, and their keys.
_KEYS = {
    ACTIVITY_USER_AGG.name: ACTIVITY_USER_AGG.key,
    GROUP_ACTIVITY_USER_AGG.name: GROUP_ACTIVITY_USER_AGG.key,
    QUARANTINE: QUARANTINE_KEY,
}
_OF_AGGREGATES = (ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--users-file", type=Path, metavar="FILE", required=True, help="learners, one id per line")
    parser.add_argument("--dry-run", action="store_true", help="count the rows and erase nothing")
    add_wait(parser)


def call(configuration: Configuration, arguments: Namespace) -> int:
    user_ids = users_file(arguments.users_file)
    with metrics_file_kept(configuration, os.environ):
        return erase(configuration, os.environ, user_ids, arguments.dry_run, arguments.wait)


def erase(
    configuration: Configuration, environ: Mapping[str, str], user_ids: Iterable[str], dry_run: bool, wait: float
) -> int:
    """Erase these learners; 0 also where another run holds the lease, which is said."""
    chosen = configuration.settings
    table = erased_table(chosen.target, chosen.erased, environ)
    table.required_secret("erase keeps hashes of the ids, for which it needs a secret")
    request = RunRequest(Scope(), dry_run=dry_run, wait=wait, command="erase")
    with executing(configuration, environ, request) as execution:
        return _erase(table, frozenset(user_ids), execution, request) if execution else 0


def _erase(table: ErasedTable, user_ids: frozenset[str], execution: Execution, request: RunRequest) -> int:
    execution.choose_as_of(None)
    if request.dry_run:
        execution.erased = execution.erased.with_users(user_ids)
        return _show(execution)
    execution.erased = table.record(execution.session, execution.erased, user_ids, now_in_ms())
    spark, staging = start_spark(execution)
    directory = staging.create(execution.record.run_id)
    execution.save(staging_dir=directory.path)
    stage(execution, spark, directory, keeps_quarantine=True)
    execution.save(status=APPLYING)  # not as staged: a resume would leave out the steps that follow
    write_staged(execution, spark, directory)
    erased = _erase_rows(execution, spark, directory)
    deleted = staging.clear()
    execution.steps.say(
        f"deleted the staged changes of {len(deleted)} runs, this one's included, which may name learners"
    )
    execution.ledger.rename_users(execution.erased)
    execution.end(SUCCEEDED)
    print(f"{erased} rows erased, {execution.counts['written']} rows written")
    return 0


def _show(execution: Execution) -> int:
    """What would be erased, in numbers: whom it is of is not shown."""
    spark, _ = start_spark(execution)
    rows = _find_rows(execution, spark, None)
    print("dry run: nothing was erased")
    for name in rows:
        print(f"{name}: {execution.counts[f'erased.{name}']} rows would be erased")
    execution.end(DRY_RUN)
    return 0


def _erase_rows(execution: Execution, spark: SparkSession, directory: RunDirectory) -> int:
    """Delete the rows of everybody who was erased; returns how many there were in the aggregate tables."""
    counts = execution.counts
    for name, rows in _find_rows(execution, spark, directory).items():
        if counts[f"erased.{name}"]:
            place = place_of(execution, name) | {"write_time": _later_than_all(execution)}
            plan = DeletePlan(**place, key=_KEYS[name])
            send_rows(execution, rows, counts[f"erased.{name}"], f"erase {name}", plan)
    return sum(counts[f"erased.{table.name}"] for table in _OF_AGGREGATES)


def _find_rows(execution: Execution, spark: SparkSession, directory: RunDirectory | None) -> dict[str, DataFrame]:
    """The keys of the rows of everybody who was erased, by table, counted.

    Rows that the run has just emptied are among them: what it retracted is erased, too.
    """
    target, counts = execution.settings.target, execution.counts
    execution.steps.say(f"{', '.join(_KEYS)} are read in full: no key begins with the learner")
    stored = Stored(spark, target, spark_options(execution.connection))
    rows = {table.name: stored.rows(table).select(*table.key) for table in _OF_AGGREGATES}
    for table in _OF_AGGREGATES:
        if directory is not None and counts.get(f"changed.{table.name}"):
            emptied = changed_rows(spark, directory, table).select(*table.key)
            rows[table.name] = rows[table.name].union(emptied)
    rows[QUARANTINE] = quarantined_users(spark, target, spark_options(execution.connection))
    found = {}
    for name, all_rows in rows.items():
        with execution.steps(f"find erased rows of {name}") as step:
            seen = Observation()
            observed = all_rows.observe(seen, F.count(F.lit(1)).alias("read"))
            of_erased = erased_rows(observed, execution.erased).select(*_KEYS[name]).distinct()
            found[name] = materialised(of_erased)
            counts[f"erased.{name}"] = found[name].count()
            step.rows = seen.get["read"]
    return found


def _later_than_all(execution: Execution) -> int:
    """A write time in µs, later than those of all entries by now, whoever wrote them: they are to go as well."""
    now = max(now_in_ms(), store_clock(execution.session))
    return max((epoch_milliseconds(now) + 1) * 1000, execution.record.write_time)
