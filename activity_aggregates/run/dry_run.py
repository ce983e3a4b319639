"""What a dry run shows: how many rows would change in each table, and examples of what would change in them."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from activity_aggregates.changes.findings import examples, findings, plain
from activity_aggregates.changes.staging import RunDirectory, Staging, changed_rows
from activity_aggregates.report.values import described
from activity_aggregates.store.targets import TARGET_TABLES
from metrics.declarations import Selection

_EXAMPLES = 5


def print_differences(
    spark: SparkSession, staging: Staging, directory: RunDirectory, counts: Mapping[str, int], selection: Selection
) -> None:
    """Print each table's counts, and the rows in which something would change most."""
    print("dry run: nothing was written")
    paths = staging.parts(directory)
    found = examples(findings(changed_rows(spark, paths, selection), selection), _EXAMPLES) if paths else {}
    for table in TARGET_TABLES:
        changed, retracted = counts.get(f"changed.{table.name}", 0), counts.get(f"retracted.{table.name}", 0)
        print(f"{table.name}: {changed} rows would change, {retracted} of them retracted")
        rows = [row for (name, _), of_kind in found.items() if name == table.name for row in of_kind][:_EXAMPLES]
        for row in rows:
            print(f"  {described(plain(row))}")
        if changed > len(rows):
            print(f"  … and {changed - len(rows)} more")
