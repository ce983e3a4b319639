"""What a dry run shows: how many rows would change in each table, and examples of what would change in them."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Row, SparkSession

from activity_aggregates.changes.staging import RunDirectory, changed_rows
from activity_aggregates.report.values import describe
from activity_aggregates.store.targets import ACTIVITY_METADATA, AGGREGATE_TABLES, TargetTable

_EXAMPLES = 5


def print_differences(spark: SparkSession, directory: RunDirectory, counts: Mapping[str, int]) -> None:
    """Print each table's counts, and its first changed rows in the order of their keys."""
    print("dry run: nothing was written")
    for table in (*AGGREGATE_TABLES, ACTIVITY_METADATA):
        changed = counts.get(f"changed.{table.name}")
        if changed is None:
            continue
        print(f"{table.name}: {changed} rows would change, {counts[f'retracted.{table.name}']} of them retracted")
        for row in _examples(spark, directory, table) if changed else ():
            print(f"  {describe(row, table.key)}")
        if changed > _EXAMPLES:
            print(f"  … and {changed - _EXAMPLES} more")


def _examples(spark: SparkSession, directory: RunDirectory, table: TargetTable) -> list[Row]:
    return changed_rows(spark, directory, table).orderBy(*table.key).limit(_EXAMPLES).collect()
