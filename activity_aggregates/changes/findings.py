"""Staged changes as findings: what differs of each kind, by how much, and what was not taken when it was written."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from activity_aggregates.changes.entries import entries
from activity_aggregates.changes.staged import DATE_METRICS, ONE
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.store.targets import KEY_COLUMNS, TARGET_TABLES
from metrics.declarations import Selection, all_names

TABLES = {table.name: table for table in TARGET_TABLES}
CHANGES = "changes"  # the column of entries


@dataclass
class TableFindings:
    """How many rows of a table are of each kind, and for each metric in how many rows of a kind it differs."""

    rows: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def findings(changed: DataFrame, selection: Selection) -> DataFrame:
    """(table, key columns…, kind, changes) of staged rows; `changes` is an array of `entries.ENTRY`."""
    return changed.select("table", *KEY_COLUMNS, "kind", entries(all_names(selection)).alias(CHANGES))


def counted(found: DataFrame) -> dict[str, TableFindings]:
    """By the tables' names, from one query for all of them."""
    row = F.array(F.lit(None).cast("string"))
    named = F.concat(F.transform(CHANGES, lambda entry: entry.metric), row)
    counts = found.select("table", "kind", F.explode(named).alias("metric")).groupBy("table", "kind", "metric").count()
    by_table = {table.name: TableFindings() for table in TARGET_TABLES}
    for table, kind, metric, count in counts.collect():
        if metric is None:
            by_table[table].rows[kind] = count
        else:
            by_table[table].metrics.setdefault(metric, {})[kind] = count
    return by_table


def examples(found: DataFrame, most: int, by: tuple[str, ...]) -> dict[tuple[str, ...], list[Row]]:
    """Of each group `by` some columns, the `most` rows in which a value is furthest apart; from one query for all."""
    order = Window.partitionBy(*by).orderBy(_furthest().desc(), *KEY_COLUMNS)
    ranked = found.withColumn("rank", F.row_number().over(order)).filter(F.col("rank") <= most)
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(ranked.collect(), key=lambda row: int(row["rank"])):
        grouped.setdefault(tuple(row[column] for column in by), []).append(row)
    return grouped


def plain(row: Row) -> dict[str, Any]:
    """A row of `findings` in the types of JSON: for each metric what is stored and what is computed."""

    def both(entry: Row) -> dict[str, Any]:
        is_text = entry["text_before"] is not None or entry["text_after"] is not None
        names = ("text_before", "text_after") if is_text else ("before", "after")
        return dict(zip(("before", "after"), (entry[name] for name in names), strict=True))

    key = {column: str(row[column]) for column in TABLES[row["table"]].key}
    metrics = {entry["metric"]: both(entry) for entry in sorted(row[CHANGES], key=lambda entry: str(entry["metric"]))}
    return {"table": row["table"], "kind": row["kind"], "key": key, "metrics": metrics}


def furthest_first(found: DataFrame | None) -> DataFrame | None:
    """Findings by table, those furthest apart first; None where there are none."""
    return None if found is None else found.orderBy("table", _furthest().desc(), *KEY_COLUMNS)


def write_lines(path: Path, rows: DataFrame | None, said: Callable[[Row], dict[str, Any]] = plain) -> None:
    """Every row as a line of JSON, in their order, which `said` makes of it.

    The driver holds a partition at a time. Without rows an empty file is left. Raises BadRequest where none can be,
    Unreachable on a full disk.
    """
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in rows.toLocalIterator() if rows is not None else ():
                print(json.dumps(said(row), ensure_ascii=False), file=file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unreachable(f"{path} cannot be written ({error.strerror}): free some space, and run again") from error
        raise BadRequest(f"{path} cannot be written ({error.strerror}): name another file with --out") from error


def _furthest() -> Column:
    """How far the value of a finding moved that moved furthest, by the measure of `staged.Entry.difference`."""
    ones = F.create_map(*(F.lit(each) for pair in ONE.items() for each in pair))

    def apart(entry: Column) -> Column:
        moved = F.abs(F.coalesce(entry.after, F.lit(0.0)) - F.coalesce(entry.before, F.lit(0.0)))
        came_or_went = entry.metric.isin(*DATE_METRICS) & (entry.before.isNull() != entry.after.isNull())
        one = F.coalesce(F.try_element_at(ones, entry.metric), F.lit(1))
        return F.when(came_or_went, F.lit(1.0)).otherwise(moved / one)

    return F.array_max(F.transform(CHANGES, apart))
