"""A whole run over everything, from its choice to the staged rows, over a store that holds nothing."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from activity_aggregates import settings
from activity_aggregates.changes.parts import PARTS
from activity_aggregates.changes.staging import RunDirectory, changed_rows
from activity_aggregates.configuration import load
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.run.stage import stage
from activity_aggregates.store.connection import connection
from activity_aggregates.store.erased import NOBODY
from tests.harness.records import FULL, left_by_a_killed_run


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
        connection=connection(chosen.cassandra, {}), session=nothing, ledger=nothing, lease=nothing, written=FULL,
        steps=Steps("short", out=io.StringIO()), record=left_by_a_killed_run(), erased=NOBODY, work=nothing,
    )  # fmt: skip
    directory = RunDirectory(str(folder))
    stage(execution, spark, directory, Asked(), keeps_quarantine=False)
    paths = [directory.changes(part) for part in PARTS if (folder / "changes" / part).exists()]
    return Computed(changed_rows(spark, paths, execution.selection).collect(), Counter(execution.counts))
