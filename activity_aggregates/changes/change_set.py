"""The change set: per row the metrics to set and the own metrics to remove; what is equal is not in it."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.names import is_course
from metrics.ownership import IsOwn


def compare(
    computed: DataFrame,
    stored: DataFrame,
    key: Sequence[str],
    is_own: IsOwn,
    as_of_ms: int,
    is_open: Column,
    is_retractable: Column,
) -> DataFrame:
    """Every row that is computed or stored, with what the run does to it.

    `computed` has (key…, agg), `stored` has (key…, agg, agg_last_updated) of the rows that are served; the values of
    both `agg` are of one type, double or string. Both may carry further columns, which `is_open` (the run may change
    this row) and `is_retractable` (it may remove metrics that are no longer computed from a row that is computed no
    longer) are over; null means no.

    Returns (key…, further columns…, to_set map, to_remove array, was map, agg_after map, stored_count, newer_count,
    is_retracted, kind); `was` are the stored values of what is set or removed, `kind` is one of `KINDS`. An entry that
    was stored by a run with a later as_of is left alone and counted in `newer_count`.
    """
    ours, theirs = computed.withColumnRenamed("agg", "wanted"), stored.withColumnRenamed("agg", "held")
    joined = ours.join(theirs, list(key), how="full")
    nothing = F.create_map().cast(computed.schema["agg"].dataType)
    held = F.coalesce("held", nothing)
    dates = F.coalesce("agg_last_updated", F.create_map().cast("map<string,timestamp>"))
    own = F.map_filter(held, lambda name, _: is_own(name))
    wanted = F.coalesce("wanted", nothing)
    newer = F.map_keys(F.map_filter(dates, lambda name, date: is_own(name) & (F.unix_millis(date) > F.lit(as_of_ms))))
    further = [name for name in joined.columns if name not in {*key, "wanted", "held", "agg_last_updated"}]
    rows = joined.select(
        *key, *further,
        own.alias("own"), wanted.alias("wanted_metrics"), newer.alias("newer"),
        F.col("wanted").isNotNull().alias("is_computed"),
        F.coalesce(is_open, F.lit(False)).alias("is_open"),
        F.coalesce(is_open & is_retractable, F.lit(False)).alias("is_retractable"),
    )  # fmt: skip
    return _decided(rows, [*key, *further], nothing)


def _decided(rows: DataFrame, columns: list[str], nothing: Column) -> DataFrame:
    no_names = F.array().cast("array<string>")
    may_remove = F.col("is_open") & (F.col("is_computed") | F.col("is_retractable"))
    to_set = F.map_filter(
        "wanted_metrics",
        lambda name, value: ~value.eqNullSafe(F.try_element_at("own", name)) & ~F.array_contains("newer", name),
    )
    to_remove = F.filter(
        F.map_keys("own"),
        lambda name: ~_has("wanted_metrics", name) & ~F.array_contains("newer", name),
    )
    decided = rows.select(
        *columns, "own", "is_computed", F.size("newer").alias("newer_count"), F.size("own").alias("stored_count"),
        F.when(F.col("is_open"), to_set).otherwise(nothing).alias("to_set"),
        F.when(may_remove, to_remove).otherwise(no_names).alias("to_remove"),
    )  # fmt: skip
    kept = F.map_filter("own", lambda name, _: ~_is_touched(name))
    was = F.map_filter("own", lambda name, _: _is_touched(name))
    is_retracted = ~F.col("is_computed") & (F.size("to_remove") > 0) & (F.size("to_remove") == F.col("stored_count"))
    return decided.select(
        *columns, "to_set", "to_remove", was.alias("was"), F.map_concat(kept, "to_set").alias("agg_after"),
        "stored_count", "newer_count", is_retracted.alias("is_retracted"),
        kind(F.col("is_computed"), F.col("stored_count") > 0).alias("kind"),
    )  # fmt: skip


KINDS = ("missing", "extra", "different")


def kind(is_computed: Column, is_stored: Column) -> Column:
    """What a changed row is: computed and not stored, stored and not computed, or both and not the same."""
    missing, extra, different = KINDS
    return F.when(~is_computed, F.lit(extra)).when(~is_stored, F.lit(missing)).otherwise(F.lit(different))


def _is_touched(name: Column) -> Column:
    return F.array_contains("to_remove", name) | _has("to_set", name)


def _has(metrics: str, name: Column) -> Column:
    return F.call_function("map_contains_key", F.col(metrics), name)


def is_changed() -> Column:
    """Whether a row of `compare` is part of the change set."""
    return (F.size("to_set") > 0) | (F.size("to_remove") > 0)


COUNTED = ("stored", "changed", "retracted", "newer", "after")


def change_counts() -> list[Column]:
    """Aggregates over `compare`, named as in `COUNTED`, to be observed: what happens to rows, entries of newer runs.

    `after` are the rows with metrics as they will be stored.
    """
    counts = (
        F.count_if(F.col("stored_count") > 0),
        F.count_if(is_changed()),
        F.count_if("is_retracted"),
        F.coalesce(F.sum("newer_count"), F.lit(0)),
        F.count_if(F.size("agg_after") > 0),
    )
    return [count.alias(name) for name, count in zip(COUNTED, counts, strict=True)]


def course_totals() -> list[Column]:
    """Aggregates over `compare` of activity_agg, to be observed: enrolments in all courses and how many are completed.

    They are of the table as it stands after the run, as far as its rows are compared.
    """

    def total(metric: str) -> Column:
        counted = F.when(is_course(), F.try_element_at("agg_after", F.lit(metric)))
        return F.coalesce(F.sum(counted), F.lit(0)).cast("long")

    return [total("enrolledCount").alias("enrolled"), total("completedCount").alias("completed")]
