"""The one order of events of every run: hold the lease, choose what to start from, stage, apply, record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cassandra.cluster import Session

from activity_aggregates import __version__, logs, settings
from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol import order
from activity_aggregates.protocol.asked import Asked, unit_of
from activity_aggregates.protocol.execution import Execution, Work, later_start, now_in_ms
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.request.backfills import Window
from activity_aggregates.request.pairs import Pair, sealed_pairs
from activity_aggregates.request.scope import EVERYTHING, Scope
from activity_aggregates.run.spark_work import SparkWork
from activity_aggregates.store.connection import Connection, connection, open_session, translated
from activity_aggregates.store.erased import ErasedTable, erased_table
from activity_aggregates.store.lease import LEASE_TABLE, HeldBy, Lease, LeaseTicket, safe_margin, waited_for
from activity_aggregates.store.ledger import Ledger, new_run_id
from activity_aggregates.store.opening import LAST, open_ledger
from activity_aggregates.store.records import (
    DRY_RUN,
    ERASE,
    FOUND,
    INCREMENTAL,
    RUN,
    RUNNING,
    VERIFY,
    RunRecord,
    counted,
    retracted_rows,
)
from activity_aggregates.watching.lineage import Lineage, lineage

_NOTHING_TO_RESUME = "nothing to resume: no run has stopped while it applied its changes"


@dataclass(frozen=True)
class RunRequest:
    """What is asked of a run; `resume` is a run id or `last`, `wait` is in seconds, `command` is for the ledger.

    `dry_run` says that nothing is written, and `out` takes then what would change; `changed` are pairs,
    `window` that of a backfill.
    """

    scope: Scope = EVERYTHING
    as_of: datetime | None = None
    dry_run: bool = False
    resume: str | None = None
    wait: float = 0.0
    command: str = RUN
    changed: tuple[Pair, ...] | None = None
    window: Window | None = None
    out: Path | None = None

    @property
    def needs_base(self) -> bool:
        """Whether it moves counts by differences. Who only looks can count whole contexts instead."""
        if self.command == VERIFY and self.dry_run:
            return False
        return self.command in (INCREMENTAL, ERASE) or bool(self.scope.users) or self.changed is not None


@dataclass(frozen=True)
class Surroundings:
    """What runs find around them."""

    settings: settings.Settings
    digest: str
    connection: Connection
    session: Session
    ledger: Ledger
    erased: ErasedTable
    work: Work
    clock: Clock = MACHINE
    keeping: Callable[[Lease], AbstractContextManager[None]] = Lease.beating
    new_steps: Callable[[], Steps] | None = None
    lineage: Lineage = field(default_factory=Lineage)

    def new_record(self, request: RunRequest) -> RunRecord:
        """The record of a run that is asked for now; it starts, and has its as_of chosen, when it holds the lease."""
        asked_at = now_in_ms(self.clock)
        scope = request.scope.sealed(self.erased.secret)
        if request.changed is not None:
            scope = replace(scope, learners=sealed_pairs(request.changed, self.erased.secret))
        return RunRecord(
            run_id=new_run_id(asked_at), command=request.command, status=RUNNING, staged=False,
            as_of=asked_at, sequence=0, scope=scope, started_at=asked_at, finished_at=None,
            staging_dir="", counts={}, phases={}, settings_digest=self.digest, code_version=__version__,
            message="",
        )  # fmt: skip

    def ticket(self, run_id: str) -> LeaseTicket:
        """With a holder of its own, each time that it is taken."""
        chosen = self.settings
        margin = safe_margin(chosen.lease.ttl, chosen.limits.clock_skew, chosen.cassandra.request_timeout)
        table = chosen.target.tables[LEASE_TABLE]
        return LeaseTicket(chosen.target.keyspace, table, run_id, chosen.lease.ttl, margin, chosen.lease.consistency)


@contextmanager
def surroundings(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Surroundings]:
    """With a session of the store whose schema was checked, and Spark to work with once it is needed."""
    chosen = configuration.settings
    link, told = connection(chosen.cassandra, environ), lineage(chosen, environ)
    with open_session(link) as session:
        ledger = open_ledger(session, chosen)
        erased = erased_table(chosen.target, chosen.erased, environ)
        yield Surroundings(
            chosen, configuration.digest, link, session, ledger, erased, SparkWork(chosen, link), lineage=told
        )


def run(configuration: Configuration, environ: Mapping[str, str], request: RunRequest) -> int:
    """Run, or resume; 0 also where another run holds the lease or a newer run has succeeded."""
    with surroundings(configuration, environ) as around:
        return carry_out(around, request)


def carry_out(around: Surroundings, request: RunRequest) -> int:
    """Do what is asked for."""
    record = _to_resume(around.ledger, request.resume) if request.resume else around.new_record(request)
    if record is None:
        print(_NOTHING_TO_RESUME)
        return 0
    with holding(around, request, record) as execution:
        if execution is None:
            return 0
        return _resume(execution) if request.resume else _run(execution, request)


@contextmanager
def holding(around: Surroundings, request: RunRequest, record: RunRecord | None = None) -> Iterator[Execution | None]:
    """A run, of its record where it has one, while it holds the lease; None, with a line, where another one does."""
    record = record or around.new_record(request)
    with logs.about(run_id=record.run_id, command=record.called):
        yield from _holding(around, request, record)


def _holding(around: Surroundings, request: RunRequest, record: RunRecord) -> Iterator[Execution | None]:
    steps = around.new_steps() if around.new_steps else Steps(around.settings.log.format)
    found = _lease(around, record.run_id, request.wait, steps)
    if isinstance(found, HeldBy):
        print(
            f"run {found.run_id} ({_scope_of(around.ledger, found.run_id)}) is under way, so this one did nothing: "
            "try again later, or wait for it with --wait SECONDS"
        )
        yield None
        return
    try:
        with around.keeping(found):
            yield from _under_lease(around, found, record, steps, request.dry_run)
    finally:
        found.free()


def _under_lease(
    around: Surroundings, lease: Lease, record: RunRecord, steps: Steps, is_dry: bool
) -> Iterator[Execution]:
    latest = around.ledger.mark_lost(now_in_ms(around.clock), lease.check)
    if record.began_writing:  # a run to be finished, as it stands by now; whatever fails before is not of its making
        record = around.ledger.get(record.run_id) or record
    else:
        record = replace(record, started_at=later_start(around.clock, latest))
    steps.seconds.update(record.phases)
    # Under the lease: whoever is erased from now on is erased by a run that comes after this one.
    erased = around.erased.read(around.session)
    execution = Execution(
        around.settings, around.connection, around.session, around.ledger, lease, steps, record, erased, around.work,
        around.clock, counts=dict(record.counts), is_dry=is_dry,
    )  # fmt: skip
    with around.lineage.told(lambda: execution.record), execution.recorded(), translated(), around.work.guarded():
        yield execution


def _lease(around: Surroundings, run_id: str, wait: float, steps: Steps) -> Lease | HeldBy:
    def is_over(other: str) -> bool:
        """Who resumes a run may find that run's own lease, of a process that died."""
        known = around.ledger.get(other)
        return other == run_id or (known is not None and not known.is_under_way)

    def say(holder: HeldBy) -> None:
        steps.say(
            f"waiting for the lease of run {holder.run_id}, which has {holder.seconds_left} s left unless renewed"
        )

    return waited_for(
        around.session, around.ticket(run_id), wait=wait, is_over=is_over, on_wait=say, clock=around.clock
    )


def _scope_of(ledger: Ledger, run_id: str) -> str:
    known = ledger.get(run_id)
    return known.scope.describe() if known else "it has just begun"


def _run(execution: Execution, request: RunRequest) -> int:
    if not execution.begin(request.as_of):
        return 0
    execution.work.start(execution)
    asked = prepare(execution, request)
    stage(execution, asked)
    if request.dry_run:
        execution.work.show(execution, request.out)
        execution.end(DRY_RUN)
        return 0
    finish(execution)
    return 0


def prepare(execution: Execution, request: RunRequest) -> Asked:
    """What is asked of a run, with what the ledger has for it to start from.

    What a dead run has staged is completed first, where this one needs a base and may write. Raises BadRequest where
    there is no base and nothing but one would do.
    """
    present = execution.present()
    execution.record = replace(execution.record, definitions=present.definitions)
    runs = execution.others()
    if request.needs_base and not request.dry_run and _complete_first(execution, runs, present):
        runs = execution.others()
    found = order.base_of(runs, present)
    base = found if isinstance(found, order.Base) else None
    if base is not None:
        lookback = timedelta(seconds=execution.settings.incremental.lookback)
        base = replace(base, watermark=base.watermark - lookback)  # for what was on its way then
    asked = Asked(
        scope=request.scope, changed=request.changed, window=request.window, base=base,
        erasing=request.scope.users if request.command == ERASE else frozenset(),
        last_full=order.last_full(runs), sizes=order.table_sizes(runs),
    )  # fmt: skip
    if isinstance(found, order.NoBase) and request.needs_base:
        asked = _without_base(execution, request, asked, found)
    elif base is not None and request.command == INCREMENTAL:
        execution.steps.say(f"looking for changes since {base.watermark.isoformat()}")
        asked = replace(asked, since=base.watermark)
    return _with_dead(execution, asked, runs)


def _without_base(execution: Execution, request: RunRequest, asked: Asked, found: order.NoBase) -> Asked:
    """Everything is computed by who may; who was asked for some learners is refused."""
    if request.command == INCREMENTAL:
        execution.record = replace(execution.record, command=RUN)
    elif request.command != ERASE:
        raise BadRequest(
            f"{found.reason}, and the counts of some learners' contexts move by differences only: {found.next_step}"
        )
    execution.steps.say(f"{found.reason}, so this run computes everything")
    return replace(asked, scope=EVERYTHING)


def _with_dead(execution: Execution, asked: Asked, runs: list[RunRecord]) -> Asked:
    """With the contexts that dead runs left half-written; the record names the runs that this one puts right."""
    if asked.is_everything:
        left = order.left_half_written(runs) if asked.erasing else []
        execution.record = replace(execution.record, settles=frozenset(run.run_id for run in left))
        return asked
    by_run = order.half_written_contexts(runs, asked.scope)
    execution.record = replace(execution.record, settles=order.settled_by(runs, asked.scope))
    for run_id, contexts in by_run.items():
        execution.steps.say(f"run {run_id} left {len(contexts)} contexts half-written: they are computed whole")
    return replace(asked, half_written=frozenset[str]().union(*by_run.values()))


def _complete_first(execution: Execution, runs: list[RunRecord], present: order.Present) -> bool:
    """Apply what a dead run has staged, under this run's lease and in that run's name; False where there is none."""
    dead = order.completed_first(runs, present)
    if dead is None:
        return False
    steps = Steps(execution.steps.format, execution.steps.out, execution.steps.spark, dict(dead.phases))
    other = replace(execution, record=dead, steps=steps, counts=dict(dead.counts))
    if not other.is_staged:
        return False
    execution.steps.say(f"run {dead.run_id} is {dead.status}: applying what it has staged first")
    with other.recorded():
        other.record = replace(dead, message=f"finished by run {execution.record.run_id}")
        other.write(unit_of(dead))
    return True


def stage(execution: Execution, asked: Asked) -> None:
    """Stage below a directory of the run's own."""
    execution.save(staging_dir=execution.work.create_directory(execution))
    execution.work.stage(execution, asked)
    tell_found(execution)


def tell_found(execution: Execution) -> None:
    """Say how many of the learners that were named there are, once that is counted."""
    if (found := execution.counts.get(FOUND)) is not None and execution.record.scope.learners is not None:
        print(f"{found} of {execution.record.scope.learners.number} ids were found")


def finish(execution: Execution) -> None:
    """Write what is staged and say what came of it."""
    execution.write(unit_of(execution.record))
    execution.work.tidy(execution)
    counts = execution.counts
    retracted, refused = retracted_rows(counts), sum(counted(counts, "refused").values())
    logs.tell_result(
        f"run {execution.record.run_id} succeeded: {counts['written']} rows written, "
        f"{retracted} of them retracted, {refused} source rows refused",
        status=execution.record.status, written=counts["written"], retracted=retracted, refused=refused,
    )  # fmt: skip


def _resume(execution: Execution) -> int:
    record = execution.record
    if not record.is_resumable:  # somebody else has finished it while the lease was waited for
        print(_NOTHING_TO_RESUME)
        return 0
    if execution.is_superseded():
        return 0
    execution.work.start(execution)
    why = order.why_not_completed(record, execution.others(), execution.present())
    if why is None and not execution.is_staged:
        why = f"its staged changes, or some of them, are gone from {record.staging_dir}"
    if why is not None:
        execution.end_superseded(f"run {record.run_id} cannot be finished any more, as {why}; start a new run")
        return 0
    execution.record = replace(record, message="")
    finish(execution)
    return 0


def _to_resume(ledger: Ledger, run_id: str) -> RunRecord | None:
    """The run to resume: the newest that stopped while applying, or the named one if it did."""
    if run_id == LAST:
        return order.to_resume(ledger.history())
    known = ledger.get(run_id)
    if known is None:
        raise BadRequest(f"--resume {run_id} is not in the ledger: list its runs with `activity-aggregates runs`")
    if known.is_resumable:
        return known
    then = "start `erase` again with the same ids" if known.command == ERASE else "start a new run"
    raise BadRequest(f"run {run_id} is {known.status} and has no staged changes to apply: {then}")
