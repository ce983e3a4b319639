"""The order of runs: what the ledger says about who may start from what, who is completed and who is superseded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activity_aggregates.store.ledger import RunRecord


@dataclass(frozen=True)
class Base:
    """What differences start from: the last full run, and the snapshot up to which all changes were seen."""

    full: RunRecord
    watermark: datetime
