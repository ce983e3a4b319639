"""Refused rows go to quarantine, whatever kind of run meets them."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from activity_aggregates.protocol.execution import Execution
from activity_aggregates.report.limits import refused_rows
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.quarantine import quarantine_rows, save_quarantine


def keep_refused(execution: Execution, refused: Mapping[str, DataFrame]) -> None:
    """Keep the refused rows of each source that has any, unless the run is dry; such a source is read once more."""
    chosen, record = execution.settings, execution.record
    for source, rows in refused.items():
        if not execution.is_dry and refused_rows(execution.counts, source):
            with execution.steps("keep refused rows"):
                kept = quarantine_rows(rows, record.run_id, source)
                options = spark_options(execution.connection)
                save_quarantine(kept, chosen.target, options, chosen.staging.quarantine_days)
