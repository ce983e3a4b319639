"""Whole runs over generated sources against the slow model, with ANSI off and on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from pyspark.sql import DataFrame, Row, SparkSession

from activity_aggregates import settings
from activity_aggregates.sources.tables import SOURCE_TABLES, deployed_name, fields
from metrics.declarations import FAMILIES, all_names
from tests.generators import sources
from tests.model import Metrics, Settings, Source
from tests.model.tables import CATALOG, KEYS, CatalogKey
from tests.properties.computation import computed
from tests.properties.worlds import apart, expected, united

_WORLDS = 120
_SEEDS = (1, 2)
_SHOWN = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("number", _SEEDS)
def test_every_row_is_what_the_model_says(spark: SparkSession, ansi: str, number: int, tmp_path: Path) -> None:
    worlds = [apart(world, f"w{index}") for index, world in enumerate(drawn(number))]
    sticky, scores_in_course = number % 2 == 1, ansi == "false"
    families = tuple(FAMILIES) if number % 2 == 1 else ("completion",)
    course_types = ("Course", "TextBook") if sticky else ("Course",)
    wanted = expected(worlds, Settings(frozenset(families), sticky, scores_in_course, course_types))
    choices: dict[str, Any] = {
        "metrics.families": list(families), "metrics.completion": "sticky" if sticky else "current",
        "metrics.scores_in_course": scores_in_course, "metrics.course_types": list(course_types),
    }  # fmt: skip
    found = computed(spark, written(spark, united(worlds), tmp_path), tmp_path / "run", choices)
    for table, key in KEYS.items():
        assert_same(spark, key._fields, by_key(found.rows, table, key._fields), getattr(wanted, table))
    owners = {tuple(row[name] for name in CatalogKey._fields): row.texts for row in found.rows if row.table == CATALOG}
    assert owners == {key: {"course_id": course} for key, course in wanted.activity_catalog.items()}
    refused = {name: rows for name, rows in found.counts.items() if name.startswith("refused.") and rows}
    spent = "refused.timespent."
    counts = {name: n for name, n in wanted.counts.items() if "time" in families or not name.startswith(spent)}
    assert {name: found.counts[name] for name in counts} | refused == counts


@cache
def drawn(number: int) -> list[Source]:
    """The worlds of one seed; drawing them takes longer than all the model does with them."""
    worlds: list[Source] = []

    @seed(number)
    @hypothesis_settings(
        max_examples=_WORLDS,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sources())
    def draw(world: Source) -> None:
        worlds.append(world)

    draw()
    return worlds


def written(spark: SparkSession, source: Source, folder: Path) -> settings.Sources:
    """The source as Parquet files, under the names as deployed."""
    rows: dict[str, list[dict[str, Any]]] = {
        "enrolments": [row._asdict() for row in source.enrolments],
        "progress": [row._asdict() for row in source.progress],
        "hierarchies": [{"course_id": key, "hierarchy": text} for key, text in source.hierarchies.items()],
        "attempts": [row._asdict() for row in source.attempts],
        "groups": [row._asdict() for row in source.groups],
        "group_members": [row._asdict() for row in source.group_members],
        "group_attempts": [row._asdict() for row in source.group_attempts],
        "timespent": [row._asdict() for row in source.timespent],
    }
    files = {name: settings.Source(format="parquet", path=str(folder / name)) for name in rows}
    for table in SOURCE_TABLES:
        if table.name in rows:
            columns = [field.name for field in fields(table)]
            schema = table.schema.replace("certificates int", "certificates array<map<string,string>>")
            dates = table.dates
            values = [tuple(held(row[name], name in dates) for name in columns) for row in rows[table.name]]
            names = [deployed_name(table, files[table.name], name) for name in columns]
            frame = spark.createDataFrame(values, schema).toDF(*names)
            frame.coalesce(2).write.parquet(files[table.name].path or "")
    return settings.Sources(**files, batches=None, users=None)


def held(value: Any, is_date: bool) -> Any:
    """A value as Spark holds it; the model's dates are milliseconds."""
    return _EPOCH + timedelta(milliseconds=value) if is_date and value is not None else value


def by_key(rows: Sequence[Row], table: str, key: Sequence[str]) -> dict[Any, Metrics]:
    """The metrics of each row of a table, and its entries; a key that occurs twice is an error."""
    of_table = [row.asDict() for row in rows if row.table == table]
    found = {tuple(str(row[column]) for column in key): named(row) for row in of_table}
    assert len(found) == len(of_table), f"{len(of_table) - len(found)} rows share a key of {key}"
    return found


def named(row: dict[str, Any]) -> Metrics:
    values = {name: row[name] for name in all_names() if name in row} | (row["entries"] or {})
    return {name: value for name, value in values.items() if value is not None}


def assert_same(spark: SparkSession, key: Sequence[str], found: dict[Any, Metrics], wanted: dict[Any, Metrics]) -> None:
    """Equal rows; of those that differ the first ones are shown side by side."""
    differing = [each for each in sorted({*found, *wanted}) if found.get(each) != wanted.get(each)]

    def frame(rows: dict[Any, Metrics]) -> DataFrame:
        told = ((each, sorted(rows.get(each, {}).items())) for each in differing[:_SHOWN])
        shown = [(*each, [(name, float(value)) for name, value in metrics]) for each, metrics in told]
        columns = ", ".join(f"{column} string" for column in key)
        return spark.createDataFrame(shown, f"{columns}, metrics array<struct<name: string, value: double>>")

    if differing:
        assert_df_equality(frame(found), frame(wanted))
