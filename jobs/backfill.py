"""`backfill`: a reviewed record, carried out unit by unit as ordinary runs, which the ledger remembers."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("backfill")

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from activity_aggregates.changes.staging import Staging
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.report.textfile import metrics_file_kept
from activity_aggregates.request.backfills import APPROVED, Backfill, read_backfill
from activity_aggregates.request.flags import add_wait
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.flow import RunRequest, carry_out, executing
from activity_aggregates.run.units import units_of
from activity_aggregates.spark.session import open_spark, translated_spark
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.ledger import DRY_RUN, SUCCEEDED, RunRecord
from activity_aggregates.store.opening import open_ledger

EXAMPLES = {
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml --dry-run": "show what each unit would change",
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml": "do the units that are not done yet",
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml --again": "do a finished one once more",
}
LEFT = "backfill.left"  # a count of every unit's run: the units to be done after it
_SECONDS_TO_EXPIRE = 2  # after its time to live, until a dead run's lease is seen to be gone


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="conf/backfills/<date>-<name>.yaml")
    parser.add_argument("--dry-run", action="store_true", help="show what each unit would change and write nothing")
    parser.add_argument("--again", action="store_true", help="do all of a finished one once more")
    add_wait(parser)


def call(configuration: Configuration, arguments: Namespace) -> int:
    request = BackfillRequest(arguments.file, arguments.dry_run, arguments.again, arguments.wait)
    with metrics_file_kept(configuration, os.environ):
        return backfill(configuration, os.environ, request)


@dataclass(frozen=True)
class BackfillRequest:
    """What is asked of a backfill; `again` repeats a finished one, `wait` is in seconds, for each unit."""

    file: Path
    dry_run: bool = False
    again: bool = False
    wait: float = 0.0


@dataclass
class _Progress:
    """The runs of a backfill since it was begun: oldest first, and those that can be resumed by their ids."""

    runs: list[RunRecord]
    resumable: frozenset[str] = field(default_factory=frozenset)

    @property
    def done(self) -> dict[Scope, RunRecord]:
        return {run.scope: run for run in self.runs if run.status == SUCCEEDED}

    @property
    def is_finished(self) -> bool:
        return bool(self.runs) and _is_last(self.runs[-1])

    @property
    def stopped(self) -> RunRecord | None:
        """The unit that died while it applied its changes."""
        return self.runs[-1] if self.runs and self.runs[-1].run_id in self.resumable else None


def backfill(configuration: Configuration, environ: Mapping[str, str], request: BackfillRequest) -> int:
    """Do the units that are not done yet, or show what all would change; 0 also where another run is in the way."""
    plan = read_backfill(request.file)
    if plan.status != APPROVED and not request.dry_run:
        raise BadRequest(
            f"the status of backfill {plan.name} is {plan.status}, and only one that is {APPROVED} writes: "
            "look at it with --dry-run, and have it reviewed"
        )
    chosen = _throttled(configuration, plan)
    progress = _progress(chosen, environ, plan)
    if progress.is_finished and not request.dry_run:
        if not request.again:
            raise BadRequest(
                f"backfill {plan.name} is finished, its last run was {progress.runs[-1].run_id}: "
                "to do all of it once more say --again"
            )
        progress = _Progress([])
    spark = open_spark(chosen.settings.spark, f"activity-aggregates {plan.command}")
    with translated_spark():
        units = units_of(spark, chosen.settings, environ, plan)
    if request.dry_run:
        return _show(chosen, environ, plan, units, request)
    stopped = progress.stopped
    if stopped and Staging(spark, chosen.settings.staging.dir).exists(stopped.staging_dir):
        print(f"unit {stopped.scope.describe()}: its run {stopped.run_id} stopped while it was writing, and goes on")
        _do(chosen, environ, progress, RunRequest(stopped.scope, resume=stopped.run_id, command=plan.command), 0)
    return _do_all(chosen, environ, plan, progress, units, request)


def _do_all(
    configuration: Configuration,
    environ: Mapping[str, str],
    plan: Backfill,
    progress: _Progress,
    units: Sequence[Scope],
    request: BackfillRequest,
) -> int:
    left = [unit for unit in units if unit not in progress.done]
    if passed_over := len(units) - len(left):
        print(f"backfill {plan.name}: {passed_over} of {len(units)} units are done already")
    # A unit that was killed may have left its lease behind.
    wait = max(request.wait, configuration.settings.lease.ttl + _SECONDS_TO_EXPIRE)
    for number, unit in enumerate(left, start=1):
        print(f"unit {unit.describe()}: {number} of {len(left)}")
        asked = RunRequest(unit, wait=wait, command=plan.command)
        if not _do(configuration, environ, progress, asked, len(left) - number):
            print(f"backfill {plan.name} is not finished: {len(left) - number + 1} units are left, start it again")
            break
    written = sum(run.counts.get("written", 0) for run in progress.done.values())
    print(f"backfill {plan.name}: {len(progress.done)} units done, {written} rows written")
    return 0


def _do(
    configuration: Configuration, environ: Mapping[str, str], progress: _Progress, request: RunRequest, left: int
) -> bool:
    """Run a unit, or resume its run; False where it did not come to its end, because another run was in the way."""
    with executing(configuration, environ, request) as execution:
        if execution is None:
            return False
        execution.counts[LEFT] = left
        carry_out(execution, request)
        progress.runs.append(execution.record)
    return execution.record.status == SUCCEEDED


def _show(
    configuration: Configuration,
    environ: Mapping[str, str],
    plan: Backfill,
    units: Sequence[Scope],
    request: BackfillRequest,
) -> int:
    """A dry run of every unit, and how many rows each would change."""
    lines = []
    for unit in units:
        print(f"unit {unit.describe()}")
        asked = RunRequest(unit, dry_run=True, wait=request.wait, command=plan.command)
        with executing(configuration, environ, asked) as execution:
            if execution is None:
                return 0
            carry_out(execution, asked)
            changed = sum(rows for name, rows in execution.counts.items() if name.startswith("changed."))
        lines.append(f"unit {unit.describe()}: {changed} rows would change")
    print("\n".join(lines))
    print(f"backfill {plan.name}: {len(units)} units, nothing was written")
    return 0


def _throttled(configuration: Configuration, plan: Backfill) -> Configuration:
    """The configuration with the backfill's own rate, where it has one."""
    if plan.rows_per_second is None:
        return configuration
    chosen = configuration.settings
    writes = replace(chosen.writes, rows_per_second=plan.rows_per_second)
    return replace(configuration, settings=replace(chosen, writes=writes))


def _progress(configuration: Configuration, environ: Mapping[str, str], plan: Backfill) -> _Progress:
    """What the ledger knows of the backfill since it was begun, for the last time if it was done again."""
    with open_session(connection(configuration.settings.cassandra, environ)) as session:
        ledger = open_ledger(session, configuration.settings)
        runs = [run for run in ledger.of_command(plan.command) if run.status != DRY_RUN]
        resumable = frozenset(run.run_id for run in ledger.unfinished())
    ends = [number for number, run in enumerate(runs[:-1], start=1) if _is_last(run)]
    return _Progress(runs[ends[-1] if ends else 0 :], resumable)


def _is_last(run: RunRecord) -> bool:
    return run.status == SUCCEEDED and run.counts.get(LEFT) == 0
