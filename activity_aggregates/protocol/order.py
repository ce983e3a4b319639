"""The order of runs: what the ledger says about who may start from what, who is completed and who is superseded.

Pure functions of records. Runs are in the order of their write times (as_of, sequence). Where it matters who was there
first, the start counts, too, which is when a run held the lease: a run with an older `--as-of` may start later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from activity_aggregates.request.scope import Scope
from activity_aggregates.store.records import ERASE, HELD, INCREMENTAL, SUCCEEDED, UNKEPT, RunRecord, counted

Runs = Sequence[RunRecord]
DEAD_ERASE = "counted.dead_erase"  # a count of every run between an erase that has died and the one that finishes it


@dataclass(frozen=True)
class Present:
    """What a run computes by now, and when somebody was erased last."""

    definitions: str
    code_version: str
    erased_at: datetime | None = None


@dataclass(frozen=True)
class Base:
    """What differences start from: the last full run, and the snapshot up to which all changes were seen."""

    full: RunRecord
    watermark: datetime


@dataclass(frozen=True)
class NoBase:
    """Why there is nothing to start from, as the beginning of a sentence, and its end: what gives a base."""

    reason: str
    next_step: str = "start `activity-aggregates run` without a scope first"


def last_full(runs: Runs) -> RunRecord | None:
    """The last full run that succeeded."""
    return max((run for run in runs if run.is_full_success), key=lambda run: run.write_time, default=None)


def is_after(one: RunRecord, other: RunRecord) -> bool:
    """Whether what one has written may stand on what the other has."""
    is_later = one.write_time > other.write_time or one.started_at > other.started_at
    return one.run_id != other.run_id and is_later


def left_half_written(runs: Runs) -> list[RunRecord]:
    """Dead runs whose rows nobody has put right since, oldest first.

    A full run that succeeded puts all right but an erase, which only another erase finishes, one that held the lease
    after it, and of the same learners where the dead one has not kept whom it was of. What a run `settles` is put right
    when it has succeeded.
    """
    settled = {run_id for run in runs if run.status == SUCCEEDED for run_id in run.settles}
    full = last_full(runs)
    erases = [run for run in runs if run.command == ERASE and run.status == SUCCEEDED]

    def is_put_right(run: RunRecord) -> bool:
        if run.command == ERASE:
            later = [each for each in erases if each.started_at > run.started_at]
            return any(not run.counts.get(UNKEPT) or each.scope.learners == run.scope.learners for each in later)
        return run.run_id in settled or (full is not None and not is_after(run, full))

    left = [run for run in runs if run.is_half_written and not is_put_right(run)]
    return sorted(left, key=lambda run: (run.write_time, run.started_at))


def base_of(runs: Runs, present: Present) -> Base | NoBase:
    """What a run of `present` may start from, where the contexts of `half_written_contexts` are chosen whole."""
    full = last_full(runs)
    if full is None:
        return NoBase("no full run has succeeded yet")
    if is_erase_unfinished(runs):
        return NoBase("an erase has died, and only `erase` finishes it", "start it again with the same ids first")
    seen = [run for run in runs if is_after(run, full) and _is_incremental_success(run)]
    wrote = [run for run in runs if is_after(run, full) and run.began_writing]
    for run in (full, *seen, *wrote):
        if (reason := _spoilt(run, present)) is not None:
            return NoBase(reason)
    dead = next((run for run in left_half_written(runs) if not _names_its_contexts(run)), None)
    if dead is not None:
        reason = "has left half-written rows, and its scope names no contexts"
        return NoBase(f"run {dead.run_id}, which is {dead.status}, {reason}")
    return Base(full, max(run.as_of for run in (full, *seen)))


def is_erase_unfinished(runs: Runs) -> bool:
    """Whether an erase has died after it began to write, and none has finished it.

    The runs that are known begin at the last full success. What was before that each run has noted when it began, as
    `DEAD_ERASE`, so the oldest of them tells it; an erase among them that has succeeded overrules the note.
    """
    if any(run.command == ERASE for run in left_half_written(runs)):
        return True
    is_counted = bool(runs) and bool(min(runs, key=lambda run: run.started_at).counts.get(DEAD_ERASE))
    return is_counted and not any(run.command == ERASE and run.status == SUCCEEDED for run in runs)


def left_held(runs: Runs) -> bool:
    """Whether another writer's entries have won over those of a run, since the last full one or over its own.

    By their dates these entries are the job's by now, so only who reads back what it has written sees them again.
    """
    full = last_full(runs)
    return any(run.counts.get(HELD) for run in runs if full is None or run == full or is_after(run, full))


def is_of_earlier_instant(record: RunRecord, runs: Runs) -> bool:
    """Whether a run has an as_of that one which has settled rows had before, or an older one.

    What others have set since may win over it.
    """
    later = (run for run in runs if run.as_of >= record.as_of and run.staging_dir != record.staging_dir)
    return any(map(has_settled_rows, later))


def _is_incremental_success(run: RunRecord) -> bool:
    return run.status == SUCCEEDED and run.command == INCREMENTAL


def _spoilt(run: RunRecord, present: Present) -> str | None:
    """Why no differences may start from what a run has written; None where they may.

    A half-written one does not matter: its contexts are computed whole by the next run, and by that run's definitions.
    """
    if run.is_half_written:
        return None
    if run.left_newer:
        return f"run {run.run_id} left {run.left_newer} stored entries that are newer than its snapshot"
    if run.definitions != present.definitions:
        return f"run {run.run_id} computed by other definitions (settings, sources or rules have changed)"
    return None


def _names_its_contexts(run: RunRecord) -> bool:
    return bool(run.scope.contexts) and run.command != ERASE


def half_written_contexts(runs: Runs, scope: Scope) -> dict[str, frozenset[str]]:
    """By dead run the contexts that a run of `scope` has to choose whole.

    What the scope leaves out is not looked at: it stays half-written, and the next run finds it so.
    """
    if scope.groups:
        return {}
    left = {run.run_id: run.scope.contexts for run in left_half_written(runs) if _names_its_contexts(run)}
    reached = {run_id: contexts & scope.contexts if scope.contexts else contexts for run_id, contexts in left.items()}
    return {run_id: contexts for run_id, contexts in reached.items() if contexts}


def settled_by(runs: Runs, scope: Scope) -> frozenset[str]:
    """The dead runs that a run of `scope` puts right, once it has succeeded: those that it chooses whole."""
    chosen = half_written_contexts(runs, scope)
    return frozenset(run.run_id for run in left_half_written(runs) if chosen.get(run.run_id) == run.scope.contexts)


def has_settled_rows(run: RunRecord) -> bool:
    """Whether a run has written, or has found rows to be right as they are: over either nothing older is applied."""
    return run.began_writing or run.status == SUCCEEDED


def why_not_completed(dead: RunRecord, runs: Runs, present: Present) -> str | None:
    """Why what a dead run has staged may not be applied any more; None where it may, if it is still there."""
    if dead.command == ERASE:
        return "an erase is finished by `erase`"
    if present.erased_at is not None and present.erased_at > dead.started_at:
        return "it began before learners were erased, whom it may name"
    later = next((run for run in runs if is_after(run, dead) and has_settled_rows(run)), None)
    if later is not None:
        return f"run {later.run_id} has {'begun to write' if later.began_writing else 'found rows right'} since"
    if (dead.definitions, dead.code_version) != (present.definitions, present.code_version):
        return "it computed by other definitions or another version"
    return None


def completed_first(runs: Runs, present: Present) -> RunRecord | None:
    """The dead run that a run which needs a base completes in its name, if what it staged is still there."""
    left = [run for run in left_half_written(runs) if run.is_resumable]
    return next((run for run in left if why_not_completed(run, runs, present) is None), None)


def to_resume(runs: Runs) -> RunRecord | None:
    """The run that `--resume last` means: the last that has begun to write and was not acknowledged whole."""
    left = [run for run in left_half_written(runs) if run.is_resumable]
    return left[-1] if left else None


def superseding(run: RunRecord, scope: Scope, runs: Iterable[RunRecord]) -> RunRecord | None:
    """A later run by write time, over an intersecting scope, that has succeeded or left half-written rows."""
    later = (other for other in runs if other.write_time > run.write_time and other.run_id != run.run_id)
    return next(
        (other for other in later if (other.status == SUCCEEDED or other.is_half_written) and _meets(other, scope)),
        None,
    )


def _meets(other: RunRecord, scope: Scope) -> bool:
    """A run that has put others right was wider than its scope says."""
    return bool(other.settles) or scope.intersects(other.scope)


def table_sizes(runs: Runs) -> dict[str, int]:
    """Rows of each table: those of the last full run, and added less retracted by what succeeded since."""
    full = last_full(runs)
    if full is None:
        return {}
    sizes = counted(full.counts, "after")
    for run in runs:
        if run.status == SUCCEEDED and is_after(run, full):
            added, retracted = counted(run.counts, "added"), counted(run.counts, "retracted")
            sizes = {table: rows + added.get(table, 0) - retracted.get(table, 0) for table, rows in sizes.items()}
    return {table: max(0, rows) for table, rows in sizes.items()}
