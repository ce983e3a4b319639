"""`backfill`: a reviewed record, computed once and applied unit by unit, each a run that the ledger remembers."""

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

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol import order
from activity_aggregates.protocol.asked import Unit, unit_of
from activity_aggregates.protocol.execution import STAGED, Execution
from activity_aggregates.request.backfills import APPROVED, Backfill, read_backfill
from activity_aggregates.request.flags import add_wait
from activity_aggregates.run.flow import (
    RunRequest,
    Surroundings,
    carry_out,
    finish,
    holding,
    prepare,
    stage,
    surroundings,
)
from activity_aggregates.store.records import (
    DRY_RUN,
    SUCCEEDED,
    UNIT_OF_CONTEXTS,
    UNIT_OF_GROUPS,
    RunRecord,
)
from activity_aggregates.watching.textfile import metrics_file_kept

LEFT = "backfill.left"  # a count of every unit's run: the units to be done after it
_SECONDS_TO_EXPIRE = 2  # after its time to live, until a dead run's lease is seen to be gone
_SECONDS_AT_ONCE = 10.0  # for which units follow each other, before a run that waits for the lease is let in
_SECONDS_OF_BREATH = 1.5  # longer than it takes a run that waits to look again


EXAMPLES = {
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml --dry-run": "show what each unit would change",
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml": "do the units that are not done yet",
    "backfill conf/backfills/2026-01-15-scores.yaml --conf settings.yaml --again": "do a finished one once more",
}


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
    """The runs of a backfill since it was begun, oldest first."""

    runs: list[RunRecord] = field(default_factory=list)

    @property
    def succeeded(self) -> dict[Unit, RunRecord]:
        return {unit: run for run in self.runs if run.status == SUCCEEDED and (unit := unit_of(run)) is not None}

    @property
    def contexts_done(self) -> frozenset[str]:
        return frozenset[str]().union(*(unit.contexts for unit in self.succeeded))

    @property
    def is_finished(self) -> bool:
        return bool(self.runs) and _is_last(self.runs[-1])


@dataclass(frozen=True)
class _Staged:
    """What was computed: the run that did it, its contexts, and the units that are left with the counts of each."""

    by: RunRecord
    contexts: frozenset[str]
    units: Sequence[tuple[Unit, Mapping[str, int]]]


def backfill(configuration: Configuration, environ: Mapping[str, str], request: BackfillRequest) -> int:
    """Do the units that are not done yet, or show what all would change; 0 also where another run is in the way."""
    plan = read_backfill(request.file)
    if plan.status != APPROVED and not request.dry_run:
        raise BadRequest(
            f"the status of backfill {plan.name} is {plan.status}, and only one that is {APPROVED} writes: "
            "look at it with --dry-run, and have it reviewed"
        )
    with surroundings(_throttled(configuration, plan), environ) as around:
        return carry_out_plan(around, plan, request)


def carry_out_plan(around: Surroundings, plan: Backfill, request: BackfillRequest) -> int:
    """The order of events of a backfill, whatever computes and writes."""
    # A unit that was killed may have left its lease behind.
    wait = max(request.wait, around.settings.lease.ttl + _SECONDS_TO_EXPIRE)
    to_run = RunRequest(plan.scope, dry_run=request.dry_run, wait=wait, command=plan.command, window=plan.window)
    if request.dry_run:
        return _show(around, plan, replace(to_run, wait=request.wait))
    progress = _progress(around, plan)
    if progress.is_finished:
        if not request.again:
            raise BadRequest(
                f"backfill {plan.name} is finished, its last run was {progress.runs[-1].run_id}: "
                "to do all of it once more say --again"
            )
        progress = _Progress()
    _go_on(around, progress, to_run)
    return _do_all(around, plan, progress, to_run)


def _go_on(around: Surroundings, progress: _Progress, to_run: RunRequest) -> None:
    """Finish the unit that died while it applied its changes, if they may still be applied."""
    dead = progress.runs[-1] if progress.runs else None
    resumed = order.to_resume(around.ledger.history())
    if dead is None or resumed is None or dead.run_id != resumed.run_id:
        return
    print(f"unit {_named(dead)}: its run {dead.run_id} stopped while it was writing, and goes on")
    carry_out(around, RunRequest(resume=dead.run_id, wait=to_run.wait, command=to_run.command))
    if (run := around.ledger.get(dead.run_id)) is not None:
        progress.runs[-1] = run


def _do_all(around: Surroundings, plan: Backfill, progress: _Progress, to_run: RunRequest) -> int:
    if done := len(progress.succeeded):
        print(f"backfill {plan.name}: {done} units are done already")
    staged: _Staged | None = None
    began = around.clock.monotonic()
    while not progress.is_finished:
        if around.clock.monotonic() - began > _SECONDS_AT_ONCE:
            around.clock.sleep(_SECONDS_OF_BREATH)
            began = around.clock.monotonic()
        before, staged = staged, _do_next(around, progress, to_run, staged)
        if staged is None:
            left = f"{len(before.units)} units are left" if before else "what is left was not looked at"
            print(f"backfill {plan.name} is not finished: {left}, start it again")
            return 0
    written = sum(run.counts.get("written", 0) for run in progress.succeeded.values())
    print(f"backfill {plan.name}: {len(progress.succeeded)} units done, {written} rows written")
    return 0


def _do_next(around: Surroundings, progress: _Progress, to_run: RunRequest, staged: _Staged | None) -> _Staged | None:
    """Apply the next unit, under a lease of its own; None where another run is in the way.

    What is left is computed where it was not yet, or where any other run has written since.
    """
    record = _record_of(around, to_run, staged)
    with holding(around, to_run, record) as execution:
        if execution is None:
            return None
        if staged is None or _is_overtaken(execution, staged):
            staged = _stage(execution, to_run, progress)
            if staged is None:
                return None
        else:
            execution.work.start(execution)
        (unit, counts), *rest = staged.units
        execution.record = _as_unit(execution, staged, unit)
        # What was read and refused for all units stands in the record of the first; what changes, in that of each.
        execution.counts |= {LEFT: len(rest), **counts}
        print(f"unit {_named(execution.record)}: {len(rest)} are left after it")
        finish(execution)
        progress.runs.append(execution.record)
    return replace(staged, units=rest)


def _record_of(around: Surroundings, to_run: RunRequest, staged: _Staged | None) -> RunRecord:
    """Of a unit that others precede it has their place in the order: they are one write in several parts."""
    record = around.new_record(to_run)
    if staged is None:
        return record
    by = staged.by
    return replace(record, as_of=by.as_of, sequence=by.sequence, staging_dir=by.staging_dir, definitions=by.definitions)


def _is_overtaken(execution: Execution, staged: _Staged) -> bool:
    """Whether another run has written, or has found rows to be right as they are, since the units were computed."""
    return any(
        run.staging_dir != staged.by.staging_dir and order.is_after(run, staged.by) and order.has_settled_rows(run)
        for run in execution.others()
    )


def _stage(execution: Execution, to_run: RunRequest, progress: _Progress) -> _Staged | None:
    """Compute what is left, in one go, and find its units."""
    execution.record = replace(execution.record, staging_dir="")
    if not execution.begin(None):
        return None
    execution.work.start(execution)
    asked = prepare(execution, to_run)
    done = progress.contexts_done - asked.half_written  # what a dead run has touched since is not
    asked = replace(asked, done_contexts=done)
    stage(execution, asked)
    units = execution.work.units(execution)
    if sum(counts[STAGED] for counts in units.values()) != execution.staged_rows:
        raise execution.gone()
    left = [(unit, counts) for unit, counts in units.items() if unit.is_of_groups or not unit.contexts <= done]
    contexts = done.union(*(unit.contexts for unit in units))
    by = replace(execution.record, counts=dict(execution.counts))
    return _Staged(by, contexts, left)


def _as_unit(execution: Execution, staged: _Staged, unit: Unit) -> RunRecord:
    """The record of a unit: the group rows are of all contexts that the backfill is about.

    It puts dead runs right all of whose contexts it has, for it has them whole.
    """
    left = order.left_half_written(execution.others())
    settles = frozenset(run.run_id for run in left if run.scope.contexts and run.scope.contexts <= unit.contexts)
    name, contexts = (UNIT_OF_GROUPS, staged.contexts) if unit.is_of_groups else (UNIT_OF_CONTEXTS, unit.contexts)
    scope = replace(staged.by.scope, contexts=contexts)
    return replace(execution.record, unit=name, scope=scope, settles=settles)


def _show(around: Surroundings, plan: Backfill, to_run: RunRequest) -> int:
    """A dry run of the whole record, and how many rows each unit would change."""
    with holding(around, to_run) as execution:
        if execution is None or not execution.begin(None):
            return 0
        execution.work.start(execution)
        stage(execution, prepare(execution, to_run))
        execution.work.show(execution)
        units = execution.work.units(execution)
        for unit, counts in units.items():
            print(f"unit {_words(unit)}: {counts[STAGED]} rows would change")
        execution.end(DRY_RUN)
    print(f"backfill {plan.name}: {len(units)} units, nothing was written")
    return 0


def _named(run: RunRecord) -> str:
    unit = unit_of(run)
    return _words(unit) if unit is not None else run.scope.describe()


def _words(unit: Unit) -> str:
    return "of the groups" if unit.is_of_groups else ", ".join(sorted(unit.contexts))


def _throttled(configuration: Configuration, plan: Backfill) -> Configuration:
    """The configuration with the backfill's own rate, where it has one."""
    if plan.rows_per_second is None:
        return configuration
    chosen = configuration.settings
    writes = replace(chosen.writes, rows_per_second=plan.rows_per_second)
    return replace(configuration, settings=replace(chosen, writes=writes))


def _progress(around: Surroundings, plan: Backfill) -> _Progress:
    """What the ledger knows of the backfill since it was begun, for the last time if it was done again.

    What has no unit has written nothing: a dry run, or one that ended before its first unit.
    """
    runs = [run for run in around.ledger.of_command(plan.command) if run.unit]
    ends = [number for number, run in enumerate(runs[:-1], start=1) if _is_last(run)]
    return _Progress(runs[ends[-1] if ends else 0 :])


def _is_last(run: RunRecord) -> bool:
    return run.status == SUCCEEDED and run.counts.get(LEFT) == 0
