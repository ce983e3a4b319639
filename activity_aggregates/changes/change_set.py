"""The change set: every row that is computed or stored, as it stood and as it will stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates.store.records import DIFFERENT, EXTRA, MISSING
from activity_aggregates.store.targets import KEY_COLUMNS, TEXTS, TargetTable, key_type
from metrics.learners import ENTRIES
from metrics.names import WAS
from metrics.values import stands

_MAPS = {ENTRIES: "map<string,double>", TEXTS: "map<string,string>"}  # the columns of staged rows that are maps
_FLAGS = "is_changed boolean, kind string, newer int, is_undated boolean"


def staged_schema(metrics: Sequence[str]) -> str:
    """The columns of every staged row; those of other tables than a row's own are null.

    >>> staged_schema(["completed"]).startswith("table string, activity_type string, activity_id string")
    True
    """
    keys = [f"{column} {key_type(column)}" for column in KEY_COLUMNS]
    values = [f"{WAS if stood else ''}{name} double" for name in metrics for stood in (False, True)]
    maps = [f"{prefix}{name} {kind}" for name, kind in _MAPS.items() for prefix in ("", WAS)]
    return ", ".join(["table string", *keys, *values, *maps, _FLAGS])


def compare(
    table: TargetTable,
    metrics: Sequence[str],
    computed: DataFrame,
    stored: DataFrame | None,
    stays: Column,
    further: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """Every row that is computed or stored, with both states; `further` columns, with their types, are taken along.

    `computed` has (key…, metrics…) and, where the table has them, `entries` or `texts`; `stored` the same under
    was_<name>, with `newer` and `undated`, names of entries, null where there are none (see `StoredRows`). A stored row
    that is not computed loses its entries unless it `stays`, a condition on stored rows. An entry that is newer than
    this run is left alone.

    Returns (table, key…, metrics…, was_<metric>…, maps…, is_changed, kind, newer, is_undated, further…): the metrics
    are those that will stand, `newer` is a number of entries, `is_undated` tells rows that change and have an entry
    without a date, over which only the store decides.
    """
    joined = _joined(table, metrics, computed, stored, stays, further)
    after = [_after(name).alias(name) for name in metrics]
    map_name = _map_of(table)
    maps = [_map_after(map_name).alias(map_name), F.col(WAS + map_name)] if map_name else []
    states = joined.select(
        *table.key, *after, *(WAS + name for name in metrics), *maps, "is_computed", "newer", "undated", *further
    )
    is_changed = F.expr(" OR ".join(["false", *(f"NOT `{name}` <=> `{WAS}{name}`" for name in metrics)]))
    stood = stands([WAS + name for name in metrics]) if metrics else F.lit(False)
    if map_name:
        is_changed |= _maps_differ(map_name)
        stood |= F.col(WAS + map_name).isNotNull()
    return states.select(
        F.lit(table.name).alias("table"), *table.key, *metrics, *(WAS + name for name in metrics),
        *([map_name, WAS + map_name] if map_name else []),
        is_changed.alias("is_changed"),
        F.when(~F.col("is_computed"), EXTRA).when(stood, DIFFERENT).otherwise(MISSING).alias("kind"),
        F.when(F.col("newer").isNull(), 0).otherwise(F.size("newer")).alias("newer"),
        (is_changed & F.col("undated").isNotNull()).alias("is_undated"),
        *further,
    )  # fmt: skip


def _joined(
    table: TargetTable,
    metrics: Sequence[str],
    computed: DataFrame,
    stored: DataFrame | None,
    stays: Column,
    further: Mapping[str, str],
) -> DataFrame:
    """Both sides of a row; where nothing is stored there is no join."""
    joined = computed.withColumn("is_computed", F.lit(True))
    if stored is not None:
        joined = joined.join(stored.withColumn("stays", stays), list(table.key), how="full")
    values = dict.fromkeys(metrics, "double") | ({name: _MAPS[name]} if (name := _map_of(table)) else {})
    theirs = {WAS + name: kind for name, kind in values.items()} | {
        "newer": "array<string>", "undated": "array<string>", "stays": "boolean"
    }  # fmt: skip
    wanted = {**values, **theirs, **further}
    missing = {name: F.lit(None).cast(kind) for name, kind in wanted.items() if name not in joined.columns}
    return joined.withColumns(missing | {"is_computed": F.coalesce("is_computed", F.lit(False))})


def _map_of(table: TargetTable) -> str | None:
    """The column of staged rows that has the map of a row of this table; None where it has none."""
    return TEXTS if table.holds_texts else ENTRIES if table.has_entries else None


def _after(name: str) -> Column:
    """The value that will stand: the stored one where a newer run wrote it, or where the row stays as it is."""
    is_left = f"coalesce(array_contains(newer, '{name}') OR (NOT is_computed AND stays), false)"
    return F.expr(f"IF({is_left}, `{WAS}{name}`, `{name}`)")


def _map_after(name: str) -> Column:
    ours, theirs = (F.coalesce(column, F.create_map().cast(_MAPS[name])) for column in (name, WAS + name))

    def is_newer(entry: Column, _: Column) -> Column:
        return F.array_contains("newer", entry)

    def is_ours(entry: Column, value: Column) -> Column:
        return ~is_newer(entry, value)

    merged = F.map_concat(F.map_filter(ours, is_ours), F.map_filter(theirs, is_newer))
    stays = F.coalesce(~F.col("is_computed") & F.col("stays"), F.lit(False))
    after = F.when(stays, F.col(WAS + name)).when(F.col("newer").isNotNull(), merged).otherwise(F.col(name))
    return F.when(F.size(after) > 0, after)


def _maps_differ(name: str) -> Column:
    ours, theirs = F.col(name), F.col(WAS + name)

    def entries(column: Column) -> Column:
        return F.array_sort(F.map_entries(column))

    return F.when(ours.isNull() | theirs.isNull(), ours.isNotNull() | theirs.isNotNull()).otherwise(
        entries(ours) != entries(theirs)
    )


def plain_texts(table: TargetTable, rows: DataFrame, will: str, stood: str) -> DataFrame:
    """`compare` of a table whose rows have one text, where both states stand in one row already, as two columns."""

    def text(column: str) -> Column:
        return F.when(F.col(column).isNotNull(), F.create_map(F.lit(table.column), column))

    kind = F.when(F.col(will).isNull(), EXTRA).when(F.col(stood).isNull(), MISSING).otherwise(DIFFERENT)
    return rows.select(
        F.lit(table.name).alias("table"), *table.key, text(will).alias(TEXTS), text(stood).alias(WAS + TEXTS),
        (~F.col(will).eqNullSafe(F.col(stood))).alias("is_changed"), kind.alias("kind"), F.lit(0).alias("newer"),
        F.lit(False).alias("is_undated"),
    )  # fmt: skip


COUNTED = ("stored", "changed", "retracted", "added", "newer", "lowered", "compared", "undated")


def change_counts(table: TargetTable, metrics: Sequence[str], counted: Collection[str] = COUNTED) -> list[Column]:
    """Aggregates over `compare`, to be observed, named `<count> <table>`: what happens to the table's rows.

    stored: rows with metrics; compared: rows looked at; added, retracted: rows that begin and cease to have metrics;
    newer: entries of newer runs; lowered: rows whose completedCount falls.
    """
    is_here = f"table = '{table.name}'"
    values = [*metrics, *([map_name] if (map_name := _map_of(table)) else [])]
    stood = " OR ".join(f"`{WAS}{name}` IS NOT NULL" for name in values)
    will = " OR ".join(f"`{name}` IS NOT NULL" for name in values)
    conditions = {
        "stored": stood, "changed": "is_changed", "retracted": f"({stood}) AND NOT ({will})",
        "added": f"NOT ({stood}) AND ({will})", "compared": "true", "undated": "is_undated",
        "lowered": f"completedCount < {WAS}completedCount" if "completedCount" in metrics else "false",
    }  # fmt: skip
    counts = {name: f"count_if({is_here} AND ({holds}))" for name, holds in conditions.items()}
    counts["newer"] = f"coalesce(sum(IF({is_here}, newer, 0)), 0)"
    return [F.expr(count).alias(f"{name} {table.name}") for name, count in counts.items() if name in counted]


def in_record(observed: Mapping[str, int]) -> dict[str, int]:
    """What `change_counts` have come to, under the names that they have in the record of a run.

    >>> in_record({"changed activity_agg": 2})
    {'changed.activity_agg': 2}
    """
    return {name.replace(" ", "."): count for name, count in observed.items()}
