"""The state of the runs as metrics, in the text format that node_exporter's textfile collector reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from activity_aggregates.errors import BadRequest
from activity_aggregates.report.contents import all_refusals, duration, rows_by_table
from activity_aggregates.store.ledger import STATUSES, RunRecord

PREFIX = "activity_aggregates"


def write_metrics(path: Path, last: RunRecord | None, success: RunRecord | None, now: datetime) -> None:
    """Replace the file as a whole: a scrape sees the old one or the new one. Raises BadRequest where it cannot be."""
    try:
        write_to_textfile(str(path), registry(last, success, now))
    except OSError as error:
        raise BadRequest(
            f"the metrics cannot be written to {path} ({error.strerror}): name a file where this user may write"
        ) from error


def registry(last: RunRecord | None, success: RunRecord | None, now: datetime) -> CollectorRegistry:
    """Metrics of the run that ended last and of the last full run that succeeded; what there is not yet is left out."""
    metrics = CollectorRegistry()
    if success is not None and success.finished_at is not None:
        _of_success(metrics, success, success.finished_at, now)
    if last is not None:
        _of_last(metrics, last)
    return metrics


def _of_success(metrics: CollectorRegistry, success: RunRecord, finished_at: datetime, now: datetime) -> None:
    _gauge(
        metrics,
        "last_success_timestamp_seconds",
        "When the last full run that succeeded ended, in seconds since 1970.",
    ).set(finished_at.timestamp())
    _gauge(
        metrics,
        "last_success_as_of_timestamp_seconds",
        "The as_of of the last full run that succeeded, in seconds since 1970.",
    ).set(success.as_of.timestamp())
    _gauge(
        metrics,
        "freshness_lag_seconds",
        "How old the as_of of the last full success was when this file was written.",
    ).set((now - success.as_of).total_seconds())
    _gauge(
        metrics,
        "last_success_duration_seconds",
        "How long the last full run that succeeded took.",
    ).set(duration(success) or 0.0)


def _of_last(metrics: CollectorRegistry, last: RunRecord) -> None:
    _gauge(
        metrics,
        "last_run_timestamp_seconds",
        "When the run that ended last was started, in seconds since 1970.",
    ).set(last.started_at.timestamp())
    status = _gauge(
        metrics, "last_run_status", "1 for what became of the run that ended last, 0 for the rest.", "status"
    )
    for name in STATUSES:
        status.labels(name).set(name == last.status)
    took = duration(last)
    if took is not None:
        _gauge(metrics, "last_run_duration_seconds", "How long the run that ended last took.").set(took)
    phases = _gauge(metrics, "last_run_phase_seconds", "How long each phase of the run that ended last took.", "phase")
    for phase, seconds in last.phases.items():
        phases.labels(phase).set(seconds)
    _rows(metrics, last.counts)


def _rows(metrics: CollectorRegistry, counts: Mapping[str, int]) -> None:
    read = _gauge(metrics, "last_run_read_rows", "Source rows that the run which ended last read.", "source")
    for name, rows in counts.items():
        if name.startswith("read."):
            read.labels(name.removeprefix("read.")).set(rows)
    refused = _gauge(
        metrics, "last_run_refused_rows", "Source rows that the run which ended last refused.", "source", "reason"
    )
    for refusal in all_refusals(counts):
        refused.labels(refusal.source, refusal.reason).set(refusal.rows)
    written = _gauge(metrics, "last_run_written_rows", "Rows that the run which ended last wrote.", "table")
    retracted = _gauge(metrics, "last_run_retracted_rows", "Rows that the run which ended last retracted.", "table")
    for row in rows_by_table(counts):
        written.labels(row.table).set(row.written or 0)
        retracted.labels(row.table).set(row.retracted or 0)


def _gauge(metrics: CollectorRegistry, name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=metrics)
