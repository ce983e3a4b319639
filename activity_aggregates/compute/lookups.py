"""Whether rows are read by key or by a scan: whichever has cost less, by what the ledger has of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from activity_aggregates.protocol.steps import Steps
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.store.records import counted
from activity_aggregates.store.targets import ACTIVITY_USER_AGG

LOOKED_UP = "looked_up."  # counts of keys, by table
_PROGRESS = "progress"  # the source whose phase is mostly its scan
_SCAN_AT_ONCE = 50_000  # rows that a scan has read before lookups have begun
_ROWS_PER_SECOND = 250_000  # of a scan, where the ledger has none
_WIDE_ROWS_PER_SECOND = 70_000  # of rows with two maps, of which the ledger never has one
_SECONDS_PER_KEY = 1 / 2_000  # of lookups, likewise
_TELLING = 1_000  # keys: fewer of them tell how long lookups take to begin


@dataclass(frozen=True)
class Lookups:
    """What is known by table: its rows, how long a scan of it takes, and how long one key."""

    rows: Mapping[str, int]
    scan_seconds: Mapping[str, float]
    seconds_per_key: Mapping[str, float]
    steps: Steps
    counts: dict[str, int]

    def may_be_cheaper(self, table: str) -> bool:
        """Whether it is worth knowing how many keys there are."""
        return self.rows.get(table, 0) > _SCAN_AT_ONCE

    def are_cheaper(self, table: str, keys: DataFrame) -> bool:
        """Whether the distinct keys are looked up; says what was chosen. Of a small table keys are not even counted."""
        if not self.may_be_cheaper(table):
            return False
        size = self.rows.get(table, 0)
        wanted = keys.count()
        by_key = wanted * self.seconds_per_key.get(table, _SECONDS_PER_KEY)
        per_second = _WIDE_ROWS_PER_SECOND if table == ACTIVITY_USER_AGG.name else _ROWS_PER_SECOND
        by_scan = self.scan_seconds.get(table, size / per_second)
        self.steps.say(
            f"{table}: {wanted:,} keys "
            + (f"by key (about {by_key:.0f} s, a scan {by_scan:.0f} s)" if by_key < by_scan else "by a scan")
        )
        if by_key < by_scan:
            self.counts[LOOKED_UP + table] = self.counts.get(LOOKED_UP + table, 0) + wanted
        return by_key < by_scan


def looking_up(table: str) -> str:
    """The phase in which keys of it are looked up."""
    return f"look up {table}"


def lookups(
    last_full: RunRecord | None,
    sizes: Mapping[str, int],
    runs: Iterable[RunRecord],
    steps: Steps,
    counts: dict[str, int],
) -> Lookups:
    """By the last full run and the newest `runs` that looked keys up; `sizes` are those of the target tables."""
    read = {}
    scans: dict[str, float] = {}
    if last_full is not None:
        read = counted(last_full.counts, "read")
        if (seconds := last_full.phases.get(f"read {_PROGRESS}")) is not None:
            scans[_PROGRESS] = seconds
    keys: dict[str, float] = {}
    for run in runs:
        for name, wanted in run.counts.items():
            table = name.removeprefix(LOOKED_UP)
            is_known = name.startswith(LOOKED_UP) and wanted >= _TELLING and looking_up(table) in run.phases
            if is_known and table not in keys:
                keys[table] = run.phases[looking_up(table)] / wanted
    return Lookups({**read, **sizes}, scans, keys, steps, counts)
