"""`run`: compute the aggregates, compare them with what is stored, stage the difference and apply it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from activity_aggregates import __version__
from activity_aggregates.changes.staging import RunDirectory, Staging
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.applying import apply_staged
from activity_aggregates.run.comparison import read_groups
from activity_aggregates.run.computation import aggregate, check_refused_share, read_enrolments
from activity_aggregates.run.description import description
from activity_aggregates.run.dry_run import print_differences
from activity_aggregates.run.execution import Execution, has_groups, now_in_ms, written_scope
from activity_aggregates.run.incremental import stage_changes
from activity_aggregates.run.opening import open_comparison, open_sources
from activity_aggregates.run.refused import keep_refused
from activity_aggregates.run.steps import Steps
from activity_aggregates.run.unfinished import Base, NoBase, complete_base
from activity_aggregates.spark.run_directory import check_run_directory
from activity_aggregates.spark.session import open_spark, translated_spark
from activity_aggregates.store.connection import connection, open_session
from activity_aggregates.store.erased import erased_table
from activity_aggregates.store.lease import HeldBy, LeaseTicket, held
from activity_aggregates.store.ledger import (
    APPLYING,
    DRY_RUN,
    INCREMENTAL,
    RUN,
    RUNNING,
    Ledger,
    RunRecord,
    new_run_id,
)
from activity_aggregates.store.migrations import check_applied
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, AGGREGATE_TABLES

LAST = "last"
_NOTHING_TO_RESUME = "nothing to resume: no run has stopped while it applied its changes"


@dataclass(frozen=True)
class RunRequest:
    """What is asked of a run; `resume` is a run id or `last`, `wait` is in seconds, `command` is for the ledger.

    `changed` is a file of user_id,course_id,batch_id.
    """

    scope: Scope
    as_of: datetime | None = None
    dry_run: bool = False
    resume: str | None = None
    wait: float = 0.0
    command: str = RUN
    changed: Path | None = None


def run(configuration: Configuration, environ: Mapping[str, str], request: RunRequest) -> int:
    """Run, or resume; 0 also where another run holds the lease or a newer run has succeeded."""
    with executing(configuration, environ, request) as execution:
        return carry_out(execution, request) if execution else 0


@contextmanager
def executing(
    configuration: Configuration, environ: Mapping[str, str], request: RunRequest
) -> Iterator[Execution | None]:
    """The run while it holds its lease; None, with a line that says why, where there is nothing to do."""
    chosen = configuration.settings
    target = chosen.target
    link = connection(chosen.cassandra, environ)
    steps = Steps(chosen.log.format)
    with open_session(link) as session:
        check_applied(session, chosen)
        ledger = Ledger(session, target.keyspace, target.tables["aggregate_runs"])
        record = _resumable(ledger, request.resume) if request.resume else _new_record(configuration, request)
        if record is None:
            print(_NOTHING_TO_RESUME)
            yield None
            return
        written = written_scope(record.scope, chosen.sources)
        ticket = LeaseTicket(target.keyspace, target.tables["aggregate_leases"], record.run_id, chosen.lease.ttl)
        with held(session, ticket, written, wait=request.wait, on_wait=partial(_say_waiting, steps)) as lease:
            if isinstance(lease, HeldBy):
                print(
                    f"run {lease.run_id} ({lease.scope.describe()}) is under way, so this one did nothing: "
                    "try again later, or wait for it with --wait SECONDS"
                )
                yield None
                return
            ledger.mark_lost(written, now_in_ms())
            # Under the lease: whoever is erased from now on is erased by a run that comes after this one.
            erased = erased_table(target, chosen.erased, environ).read(session)
            execution = Execution(chosen, link, session, ledger, lease, written, steps, record, erased)
            with execution.recorded(), translated_spark():
                yield execution


def carry_out(execution: Execution, request: RunRequest) -> int:
    """Do what is asked of a run that holds its lease."""
    return _resume(execution) if request.resume else _run(execution, request)


def _say_waiting(steps: Steps, holder: HeldBy) -> None:
    steps.say(f"waiting for the lease of run {holder.run_id}, which has {holder.seconds_left} s left unless renewed")


def _run(execution: Execution, request: RunRequest) -> int:
    execution.choose_as_of(request.as_of)
    if execution.is_superseded():
        return 0
    is_incremental = request.command == INCREMENTAL
    spark, staging = start_spark(execution, extended=is_incremental)
    base = _base(execution, spark, staging, may_write=not request.dry_run) if is_incremental else None
    directory = staging.create(execution.record.run_id)
    execution.save(staging_dir=directory.path)
    if base is None:
        stage(execution, spark, directory, keeps_quarantine=not request.dry_run)
    else:
        stage_changes(execution, spark, directory, base, keeps_quarantine=not request.dry_run)
    if request.dry_run:
        print_differences(spark, directory, execution.counts)
        execution.end(DRY_RUN)
        return 0
    execution.save(status=APPLYING, staged=True)
    return apply_staged(execution, spark, staging, directory)


def _resume(execution: Execution) -> int:
    record = execution.ledger.get(execution.record.run_id)
    if record is None or not record.is_resumable:  # somebody else has finished it while the lease was waited for
        print(_NOTHING_TO_RESUME)
        return 0
    execution.record = record
    execution.steps.seconds.update(record.phases)
    if execution.is_superseded():
        return 0
    if execution.erased.newest is not None and execution.erased.newest > record.started_at:
        raise BadRequest(f"run {record.run_id} began before learners were erased, whom it may name: start a new run")
    spark, staging = start_spark(execution)
    if not staging.exists(record.staging_dir):
        raise BadRequest(
            f"the staged changes of run {record.run_id} are gone from {record.staging_dir}: start a new run"
        )
    execution.counts.update(record.counts)
    execution.save(status=APPLYING, finished_at=None, message="")
    return apply_staged(execution, spark, staging, RunDirectory(record.staging_dir))


def _base(execution: Execution, spark: SparkSession, staging: Staging, may_write: bool) -> Base | None:
    """What an incremental run starts from; None where everything has to be computed, and the run says why."""
    try:
        return complete_base(execution, spark, staging, may_write)
    except NoBase as reason:
        execution.steps.say(f"{reason}, so this run computes everything")
        execution.record = replace(execution.record, command=RUN)
        return None


def start_spark(execution: Execution, extended: bool = False) -> tuple[SparkSession, Staging]:
    """The session, and the place for staged changes, without those of runs of long ago."""
    chosen = execution.settings
    check_run_directory(chosen.staging, chosen.spark)
    with execution.steps("start Spark"):
        spark = open_spark(chosen.spark, f"activity-aggregates {execution.record.run_id}", extended)
    execution.steps.spark = spark
    staging = Staging(spark, chosen.staging.dir)
    staging.prune(execution.record.started_at, chosen.staging.keep_days)
    return spark, staging


def stage(
    execution: Execution, spark: SparkSession, directory: RunDirectory, keeps_quarantine: bool, share: float = 1.0
) -> None:
    """Compute, compare and stage everything, or the changes of a share of it.

    Raises CheckFailed where a limit is passed, before anything is written.
    """
    chosen, counts, steps = execution.settings, execution.counts, execution.steps
    sources = open_sources(execution, spark)
    described = description(sources, chosen.metadata)
    enrolled = read_enrolments(sources, counts, steps, described.fields)
    keep_refused(execution, enrolled.refused, keeps_quarantine)
    check_refused_share(counts, chosen.limits.refused_share)
    execution.lease.check()
    computed = aggregate(sources, enrolled, chosen.metrics, directory, counts, steps)
    keep_refused(execution, computed.refused, keeps_quarantine)
    execution.lease.check()
    comparison = open_comparison(execution, spark, directory, share)
    tables = [ACTIVITY_USER_AGG, ACTIVITY_AGG]
    if has_groups(chosen.sources):
        tables = list(AGGREGATE_TABLES)
        group = read_groups(sources, counts, steps)
        keep_refused(execution, group.refused, keeps_quarantine)
        learners = comparison.stage_activities(enrolled, computed, group.members, described)
        comparison.stage_groups(enrolled, computed, group, learners)
    else:
        steps.say("no group part: sources.groups and sources.group_members are not configured")
        comparison.stage_activities(enrolled, computed, None, described)
    comparison.check_retracted_share(tables, chosen.limits)
    spark.catalog.clearCache()


def _new_record(configuration: Configuration, request: RunRequest) -> RunRecord:
    """The record of a run that starts now; its as_of is chosen when it holds the lease."""
    started_at = now_in_ms()
    return RunRecord(
        run_id=new_run_id(started_at), command=request.command, status=RUNNING, staged=False,
        as_of=started_at, sequence=0, scope=request.scope, started_at=started_at, finished_at=None,
        staging_dir="", counts={}, phases={}, settings_digest=configuration.digest, code_version=__version__,
        message="",
    )  # fmt: skip


def _resumable(ledger: Ledger, run_id: str) -> RunRecord | None:
    """The run to resume: the newest that stopped while applying, or the named one if it did."""
    unfinished = ledger.unfinished()
    if run_id == LAST:
        return unfinished[0] if unfinished else None
    if (record := next((run for run in unfinished if run.run_id == run_id), None)) is not None:
        return record
    known = ledger.get(run_id)
    if known is None:
        raise BadRequest(f"--resume {run_id} is no run of the ledger: list them with `activity-aggregates runs`")
    if known.is_resumable:
        raise BadRequest(f"run {run_id} is older than a full run that has succeeded: start a new run")
    raise BadRequest(f"run {run_id} is {known.status} and has no staged changes to apply: start a new run")
