"""The state of the runs as metrics, in the text format that node_exporter's textfile collector reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from activity_aggregates.errors import BadRequest
from activity_aggregates.report.contents import all_refusals, duration, rows_by_table
from activity_aggregates.store.records import (
    DIFFERING_SUMS,
    DRY_RUN,
    HELD,
    KINDS,
    RUN,
    SAMPLED,
    STATUSES,
    SUCCEEDED,
    VERIFY,
    RunRecord,
)

PREFIX = "activity_aggregates"
VERIFY_PUBLISHED = f"{VERIFY} --published"
_BACKFILL = "backfill"


@dataclass(frozen=True)
class Latest:
    """Of one command: the run that ended last, and the last that succeeded."""

    ended: RunRecord
    success: RunRecord | None


@dataclass(frozen=True)
class State:
    """What the metrics tell of a ledger: the latest runs by command, the last full success, who holds the lease.

    `full` may be older than all that `latest` was made from; `holder` is under way.
    """

    latest: Mapping[str, Latest]
    full: RunRecord | None
    holder: RunRecord | None


def write_metrics(path: Path, state: State, labels: Mapping[str, str], now: datetime) -> None:
    """Replace the file in one step, so that a scrape sees the old one or the new one; a symbolic link is followed.

    Raises BadRequest where it cannot be written, and for a device or a folder, in whose place no file is put.
    """
    try:
        file = path.resolve()
        if file.exists() and not file.is_file():
            raise BadRequest(f"the metrics cannot be written to {path}, which is there and is not a file: name one")
        write_to_textfile(str(file), registry(state, labels, now))
    except OSError as error:
        raise BadRequest(
            f"the metrics cannot be written to {path} ({error.strerror}): name a file where this user may write"
        ) from error


def latest_by_command(runs: Iterable[RunRecord]) -> dict[str, Latest]:
    """By what the label `command` says, from runs in their order, newest first.

    A night's full run that fails is not overlooked because an hour's incremental one succeeds. Runs and verifications
    of a scope are somebody's own doing, and no schedule waits for them.
    """
    ended: dict[str, RunRecord] = {}
    successes: dict[str, RunRecord] = {}
    for run in runs:
        command = command_of(run)
        if command is None or run.is_under_way or (run.status == DRY_RUN and run.command != VERIFY):
            continue
        ended.setdefault(command, run)
        if has_succeeded(run):
            successes.setdefault(command, run)
    return {command: Latest(run, successes.get(command)) for command, run in ended.items()}


def has_succeeded(run: RunRecord) -> bool:
    """Whether it did what its command is there for: a verification that repairs nothing ends as a dry run."""
    return run.status == SUCCEEDED or (run.status == DRY_RUN and run.command == VERIFY)


def command_of(run: RunRecord) -> str | None:
    """What was called, without the name of a backfill; None where a person has named a scope, or looks at a sample."""
    if run.command in (RUN, VERIFY) and (not run.scope.is_full or SAMPLED in run.counts):
        return None
    if run.command == VERIFY and DIFFERING_SUMS in run.counts:
        return VERIFY_PUBLISHED
    return _BACKFILL if run.command.startswith(_BACKFILL) else run.command


def registry(state: State, labels: Mapping[str, str], now: datetime) -> CollectorRegistry:
    """The metrics of the ledger and of each command; what there is not yet is left out.

    `labels` stand at every metric: the target and those of the deployment.
    """
    metrics = _Metrics(labels)
    metrics.add_ledger(state, now)
    for command, runs in sorted(state.latest.items()):
        metrics.add_last(command, runs.ended)
        if runs.success is not None and runs.success.finished_at is not None:
            metrics.add_success(command, runs.success, runs.success.finished_at, now)
            metrics.add_differences(command, runs.success, state.full)
    return metrics.registry


class _Metrics:
    """Gauges, each made when it first has a value, with the labels of the deployment before its own."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.registry = CollectorRegistry()
        self._labels = labels
        self._gauges: dict[str, Gauge] = {}

    def add_ledger(self, state: State, now: datetime) -> None:
        self._set("written_timestamp_seconds", "When these metrics were written.", now.timestamp())
        if state.full is not None and state.full.finished_at is not None:
            of = "the last run that has brought all rows up to date from all of the sources"
            self._set("last_full_success_timestamp_seconds", f"When {of} ended.", state.full.finished_at.timestamp())
            self._set("last_full_success_as_of_timestamp_seconds", f"The as_of of {of}.", state.full.as_of.timestamp())
        if state.holder is not None:
            meaning = "When the run began that holds the lease, and keeps others waiting."
            began = state.holder.started_at.timestamp()
            self._set("lease_since_timestamp_seconds", meaning, began, command=state.holder.called)

    def add_success(self, command: str, run: RunRecord, finished_at: datetime, now: datetime) -> None:
        of = "the last run of this command that succeeded"
        self._set("last_success_timestamp_seconds", f"When {of} ended.", finished_at.timestamp(), command=command)
        self._set("last_success_as_of_timestamp_seconds", f"The as_of of {of}.", run.as_of.timestamp(), command=command)
        self._set("last_success_duration_seconds", f"How long {of} took.", duration(run) or 0.0, command=command)
        lag = (now - run.as_of).total_seconds()
        self._set("freshness_lag_seconds", f"How old the as_of of {of} was at writing.", lag, command=command)

    def add_differences(self, command: str, run: RunRecord, full: RunRecord | None) -> None:
        """What a verification has found, as long as no full success has put it right."""
        is_settled = full is not None and _settles(full, run)
        of = "the last run of this command that succeeded"
        for table, kind, rows in _differing(run):
            meaning = f"Rows that {of} found to differ, and no run has repaired; held: entries that it could not set."
            found = 0 if is_settled else rows
            self._set("differing_rows", meaning, found, command=command, table=table, kind=kind)
        if DIFFERING_SUMS in run.counts:
            meaning = "Published sums that were not those of the published rows, and that no run has counted anew."
            found = 0 if is_settled else run.counts[DIFFERING_SUMS]
            self._set("differing_sums", meaning, found, command=command)

    def add_last(self, command: str, run: RunRecord) -> None:
        of = "the run of this command that ended last"
        self._set("last_run_timestamp_seconds", f"When {of} began.", run.started_at.timestamp(), command=command)
        for status in STATUSES:
            is_it = float(status == run.status)
            self._set(
                "last_run_status", f"1 for what became of {of}, 0 for the rest.", is_it, command=command, status=status
            )
        took = duration(run)
        if took is not None:
            self._set("last_run_duration_seconds", f"How long {of} took.", took, command=command)
        for phase, seconds in run.phases.items():
            self._set(
                "last_run_phase_seconds", f"How long each phase of {of} took.", seconds, command=command, phase=phase
            )
        self._add_rows(command, run.counts, of)

    def _add_rows(self, command: str, counts: Mapping[str, int], of: str) -> None:
        for name, rows in counts.items():
            if name.startswith("read."):
                source = name.removeprefix("read.")
                self._set("last_run_read_rows", f"Source rows that {of} read.", rows, command=command, source=source)
        for refusal in all_refusals(counts):
            why = {"source": refusal.source, "reason": refusal.reason}
            self._set("last_run_refused_rows", f"Source rows that {of} refused.", refusal.rows, command=command, **why)
        for row in rows_by_table(counts):
            for name, value in (("written", row.written), ("retracted", row.retracted)):
                meaning = f"Rows that {of} has {name}."
                self._set(f"last_run_{name}_rows", meaning, value or 0, command=command, table=row.table)

    def _set(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """`labels` are of `settings.OWN_LABELS`, so that no deployment has one of these names."""
        if name not in self._gauges:
            names = [*self._labels, *labels]
            self._gauges[name] = Gauge(f"{PREFIX}_{name}", meaning, names, registry=self.registry)
        self._gauges[name].labels(**self._labels, **labels).set(value)


def _settles(full: RunRecord, verification: RunRecord) -> bool:
    """Whether a full success has put right what a verification found; what writers hold is left by both.

    A repair is left with entries that may be newer than the snapshot of a run after it, which leaves them as they are.
    """
    left = full.left_newer if verification.counts.get(HELD) else full.counts.get(HELD)
    return full.write_time > verification.write_time and not left


def _differing(run: RunRecord) -> Iterator[tuple[str, str, int]]:
    """What a verification left as it is, by table and kind: 0 where it has repaired the rows.

    Of a repair that a later writer has won over in places, the entries so held are told, without a table: how many of
    the rows that differed are among them is not known.
    """
    if run.command != VERIFY:
        return
    if held := run.counts.get(HELD, 0):
        yield "", HELD, held
        return
    for name, rows in run.counts.items():
        kind, _, table = name.partition(".")
        if kind in KINDS and table:
            yield table, kind, 0 if run.status == SUCCEEDED else rows
