"""A whole run over everything, from its choice to the staged rows, over a store that holds nothing."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from activity_aggregates import settings
from activity_aggregates.configuration import load
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.run.applying import changes_of
from activity_aggregates.run.stage import stage
from activity_aggregates.store.connection import connection
from activity_aggregates.store.erased import NOBODY
from tests.harness.records import left_by_a_killed_run


class EmptyStore:
    """In the place of a session, a ledger and a lease: no table has a row, no run was before, nobody interferes."""

    def execute(self, *_: object) -> list[Any]:
        return []

    def recent(self, _: int) -> list[Any]:
        return []

    def check(self) -> None:
        return None


@dataclass(frozen=True)
class Computed:
    """The changed rows of all tables, and what was refused and counted on the way."""

    rows: list[Row]
    counts: Counter[str]


def computed(spark: SparkSession, sources: settings.Sources, folder: Path, choices: dict[str, Any]) -> Computed:
    """What a full run stages in `folder`; `choices` are settings by their dotted names."""
    chosen = load(None, {}, {"limits.refused_share": 1.0, **choices}).settings
    nothing_described = settings.Metadata(fields=None, batches=None)
    nothing: Any = EmptyStore()
    execution = Execution(
        settings=replace(chosen, sources=sources, metadata=nothing_described),
        connection=connection(chosen.cassandra, {}), session=nothing, ledger=nothing, lease=nothing,
        steps=Steps("short", out=io.StringIO()), record=replace(left_by_a_killed_run(), staging_dir=str(folder)),
        erased=NOBODY, work=nothing, is_dry=True,
    )  # fmt: skip
    stage(execution, spark, Asked())
    rows = changes_of(execution, spark)
    return Computed(rows.collect() if rows is not None else [], Counter(execution.counts))
