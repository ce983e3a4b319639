"""Staged changes as differences between what is computed and what is stored, and which of them took when written."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StringType

from activity_aggregates.changes.change_set import kind
from activity_aggregates.store.targets import ACTIVITY_CATALOG, TargetTable

COURSE_ID = "course_id"
_ROW = ""  # among the names of metrics: the row itself


def differing(changed: DataFrame, table: TargetTable) -> DataFrame:
    """(key…, kind, to_set, to_remove, was) of `staging.changed_rows`; activity_catalog has one entry, course_id."""
    if table != ACTIVITY_CATALOG:
        return changed.select(*table.key, "kind", "to_set", "to_remove", "was")
    nothing = F.create_map().cast("map<string,string>")
    is_computed, is_stored = F.col(COURSE_ID).isNotNull(), F.col("held_course_id").isNotNull()
    return changed.select(
        *ACTIVITY_CATALOG.key,
        kind(is_computed, is_stored).alias("kind"),
        F.when(is_computed, F.create_map(F.lit(COURSE_ID), COURSE_ID)).otherwise(nothing).alias("to_set"),
        F.when(is_computed, F.array().cast("array<string>")).otherwise(F.array(F.lit(COURSE_ID))).alias("to_remove"),
        F.when(is_stored, F.create_map(F.lit(COURSE_ID), "held_course_id")).otherwise(nothing).alias("was"),
    )


def counted(differences: DataFrame) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """How many rows are of each kind, and of each metric in how many rows of a kind it differs."""
    names = F.concat(_names(), F.array(F.lit(_ROW)))
    counts = differences.select("kind", F.explode(names).alias("metric")).groupBy("kind", "metric").count().collect()
    rows: dict[str, int] = {}
    metrics: dict[str, dict[str, int]] = {}
    for name, metric, count in counts:
        if metric == _ROW:
            rows[name] = count
        else:
            metrics.setdefault(metric, {})[name] = count
    return rows, metrics


def largest(differences: DataFrame, key: Sequence[str]) -> DataFrame:
    """The rows in the order of how far a metric is apart at most, furthest first, else of their keys."""
    if differences.schema["was"].dataType == MapType(StringType(), StringType()):
        return differences.orderBy(*key)

    def apart(name: Column) -> Column:
        return F.abs(_number("to_set", name) - _number("was", name))

    return differences.orderBy(F.array_max(F.transform(_names(), apart)).desc(), *key)


def json_lines(differences: DataFrame, table: str, key: Sequence[str]) -> DataFrame:
    """(value) of a JSON object per row: table, kind, key, and for each metric what is stored and what is computed."""

    def entry(name: Column) -> Column:
        before, after = F.try_element_at(F.col("was"), name), F.try_element_at(F.col("to_set"), name)
        return F.struct(before.alias("before"), after.alias("after"))

    metrics = F.map_from_arrays(_names(), F.transform(_names(), entry))
    line = F.struct(F.lit(table).alias("table"), "kind", F.struct(*key).alias("key"), metrics.alias("metrics"))
    return differences.select(F.to_json(line, {"ignoreNullFields": "false"}).alias("value"))


def not_taken(differences: DataFrame, stored: DataFrame, key: Sequence[str]) -> DataFrame:
    """(key…, metric, wanted, held) of the entries that do not hold what was set, or are there although removed.

    `stored` has (key…, agg) as read after the differences were written; null is an entry that is not there.
    """
    held = F.coalesce("agg", F.create_map().cast(stored.schema["agg"].dataType))
    wanted = differences.select(*key, "to_set", F.explode(_names()).alias("metric"))
    return (
        wanted.join(stored.select(*key, "agg"), list(key), how="left")
        .select(
            *key, "metric",
            F.try_element_at(F.col("to_set"), F.col("metric")).alias("wanted"),
            F.try_element_at(held, F.col("metric")).alias("held"),
        )
        .filter(~F.col("wanted").eqNullSafe(F.col("held")))
    )  # fmt: skip


def catalog_as_maps(stored: DataFrame) -> DataFrame:
    """(key…, agg) of the rows of activity_catalog."""
    return stored.select(*ACTIVITY_CATALOG.key, F.create_map(F.lit(COURSE_ID), COURSE_ID).alias("agg"))


def _names() -> Column:
    """The metrics of a row that differ."""
    return F.sort_array(F.concat(F.map_keys("to_set"), "to_remove"))


def _number(entries: str, name: Column) -> Column:
    return F.coalesce(F.try_element_at(F.col(entries), name), F.lit(0.0))
