"""What a dry run shows: how many rows would change in each table, and examples of what would change in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pyspark.sql import Row, SparkSession

from activity_aggregates.changes.staging import RunDirectory, changed_rows
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


def describe(row: Row, key: Sequence[str]) -> str:
    """One changed row: its key, then each entry with the value it has and the one it would get."""
    was: dict[str, float | str] = row["was"]
    changes = [f"{name} {shown(was.get(name))} -> {shown(value)}" for name, value in sorted(row["to_set"].items())]
    changes += [f"{name} {shown(was.get(name))} -> -" for name in sorted(row["to_remove"])]
    return f"{' '.join(row[column] for column in key)}: {', '.join(changes)}"


def shown(value: float | str | None) -> str:
    """A value of an entry as it is printed; `-` is an entry that is not there."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value is None else f"{value:g}"
