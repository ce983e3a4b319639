"""Staged files that a full disk or a power cut has damaged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import staged_schema
from activity_aggregates.changes.parts import LEARNER_ROWS
from activity_aggregates.changes.staging import RunDirectory, stage_rows
from activity_aggregates.run.applying import rows_of
from metrics.declarations import EVERYTHING, all_names

ROWS = 1000


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def overwritten(file: Path) -> None:
    """In the middle, where a column is that tells nothing of how many rows there are."""
    content = file.read_bytes()
    place = len(content) // 4
    file.write_bytes(content[:place] + b"X" * 18 + content[place + 18 :])


@pytest.mark.parametrize("damage", [cut, overwritten, Path.unlink])
def test_fewer_rows_can_be_read_than_were_staged(spark: SparkSession, tmp_path: Path, damage: Any) -> None:
    """So that nobody takes the rest of them for all."""
    directory, record = RunDirectory(str(tmp_path)), SimpleNamespace(staging_dir=str(tmp_path))
    execution: Any = SimpleNamespace(selection=EVERYTHING, record=record)
    named = {"user_id": F.format_string("learner-%010d", "id"), "is_changed": F.lit(True), "table": F.lit("t")}
    empty = spark.createDataFrame([], staged_schema(all_names(EVERYTHING)))
    rows = empty.unionByName(
        spark.range(ROWS).select(*(c.alias(n) for n, c in named.items())), allowMissingColumns=True
    )
    stage_rows(rows.coalesce(1), directory, LEARNER_ROWS)
    assert rows_of(execution, spark, None) == ROWS
    (file,) = (file for file in tmp_path.rglob("*.parquet") if file.stat().st_size > 1000)
    damage(file)
    assert rows_of(execution, spark, None) < ROWS
