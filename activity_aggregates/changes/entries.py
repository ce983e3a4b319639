"""Compared rows entry by entry: what each metric or text was and will be."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates.store.targets import KEY_COLUMNS, TEXTS, TargetTable, key_type
from metrics.declarations import Selection, all_names, names
from metrics.learners import ENTRIES
from metrics.names import WAS

ENTRY = "struct<metric: string, before: double, after: double, text_before: string, text_after: string>"


def entries(metrics: Sequence[str]) -> Column:
    """The entries of a staged row that differ, an array of `ENTRY`, in the order of the metrics."""
    nothing = F.lit(None).cast("string")

    def of_metric(name: str) -> Column:
        return F.struct(
            F.lit(name).alias("metric"), F.col(WAS + name).alias("before"), F.col(name).alias("after"),
            nothing.alias("text_before"), nothing.alias("text_after"),
        )  # fmt: skip

    of_metrics = F.array(*(of_metric(name) for name in metrics)) if metrics else F.array().cast(f"array<{ENTRY}>")
    everything = F.concat(of_metrics, _of_map(ENTRIES, "double"), _of_map(TEXTS, "string"))
    return F.filter(
        everything,
        lambda entry: ~(entry.before.eqNullSafe(entry.after) & entry.text_before.eqNullSafe(entry.text_after)),
    )


def _of_map(name: str, kind: str) -> Column:
    """An entry for each name in either state of a map."""
    nothing = F.create_map().cast(f"map<string,{kind}>")
    will, was = F.coalesce(name, nothing), F.coalesce(WAS + name, nothing)

    def entry(metric: Column) -> Column:
        before, after = F.try_element_at(was, metric), F.try_element_at(will, metric)
        none = F.lit(None).cast("string" if kind == "double" else "double")
        values = [before, after, none, none] if kind == "double" else [none, none, before, after]
        labels = ("before", "after", "text_before", "text_after")
        return F.struct(
            metric.alias("metric"), *(value.alias(label) for value, label in zip(values, labels, strict=True))
        )

    return F.transform(F.array_sort(F.array_union(F.map_keys(will), F.map_keys(was))), entry)


def entries_that_differ(rows: DataFrame, selection: Selection) -> DataFrame:
    """(table, key columns…, metric, before, after, text_before, text_after) of staged rows."""
    exploded = rows.select("table", *KEY_COLUMNS, F.explode(entries(all_names(selection))).alias("entry"))
    return exploded.select("table", *KEY_COLUMNS, "entry.*")


def stored_entries(table: TargetTable, rows: DataFrame, selection: Selection) -> DataFrame:
    """(table, key columns…, metric, held, text_held) of `StoredRows.rows`."""
    if table.holds_texts:
        pairs = _of_stored_map(TEXTS, "string")
    else:
        own = names(table.name, selection)
        pairs = F.array(*(_stored_entry(F.lit(name), F.col(WAS + name)) for name in own))
        pairs = F.concat(pairs, _of_stored_map(ENTRIES, "double")) if table.has_entries else pairs
    present = [
        F.col(column) if column in table.key else F.lit(None).cast(key_type(column)).alias(column)
        for column in KEY_COLUMNS
    ]
    exploded = rows.select(*present, F.explode(pairs).alias("entry"))
    return exploded.select(F.lit(table.name).alias("table"), *KEY_COLUMNS, "entry.*")


def _of_stored_map(name: str, kind: str) -> Column:
    stored = F.coalesce(WAS + name, F.create_map().cast(f"map<string,{kind}>"))
    if kind == "string":
        return F.transform(F.map_entries(stored), lambda entry: _stored_entry(entry.key, text=entry.value))
    return F.transform(F.map_entries(stored), lambda entry: _stored_entry(entry.key, entry.value))


def _stored_entry(metric: Column, value: Column | None = None, text: Column | None = None) -> Column:
    held = F.lit(None).cast("double") if value is None else value
    text_held = F.lit(None).cast("string") if text is None else text
    return F.struct(metric.alias("metric"), held.alias("held"), text_held.alias("text_held"))
