"""The job's computation against the slow model, on generated sources, with ANSI off and on."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from activity_aggregates.run.computation import aggregate, read_enrolments
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates import settings
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.run.comparison import read_groups
from activity_aggregates.run.steps import Steps
from activity_aggregates.sources.tables import SOURCE_TABLES, Sources, deployed_name, fields
from activity_aggregates.store.erased import NOBODY
from activity_aggregates.store.targets import AGGREGATE_TABLES
from metrics import groups
from metrics.learners import LEARNER_KEY
from tests.generators import sources
from tests.model import Settings, Source, Tables
from tests.properties.worlds import apart, expected, united

_WORLDS = 120
_SEEDS = (1, 2)


@pytest.mark.parametrize("number", _SEEDS)
def test_every_row_and_count_is_what_the_model_says(
    spark: SparkSession, ansi: str, number: int, tmp_path: Path
) -> None:
    worlds = [apart(world, f"w{index}") for index, world in enumerate(drawn(number))]
    sticky, scores_in_course = number % 2 == 1, ansi == "false"
    wanted = expected(worlds, Settings(sticky=sticky, scores_in_course=scores_in_course))
    choices = settings.Metrics(completion="sticky" if sticky else "current", scores_in_course=scores_in_course)
    found = computed(spark, united(worlds), choices, tmp_path)
    assert_same("counts", found.counts, {name: wanted.counts[name] for name in found.counts})
    assert set(wanted.counts) <= set(found.counts)
    for table in (*(table.name for table in AGGREGATE_TABLES), "activity_catalog"):
        assert_same(table, getattr(found, table), getattr(wanted, table))


def drawn(number: int) -> list[Source]:
    """The worlds of one seed."""
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


def computed(spark: SparkSession, source: Source, choices: settings.Metrics, folder: Path) -> Tables:
    """What the job computes from the source, read from Parquet files."""
    opened = Sources(spark, written(spark, source, folder), {}, NOBODY)
    counts: dict[str, int] = {}
    steps = Steps("plain")
    enrolled = read_enrolments(opened, counts, steps)
    directory = RunDirectory(str(folder / "run"))
    rows = aggregate(opened, enrolled, choices, directory, counts, steps)
    group = read_groups(opened, counts, steps)
    member_rows = groups.member_rows(group.members, rows.learners.select(*LEARNER_KEY, "agg"))
    enrolled_members = groups.enrolled_members(group.members, enrolled.by_key, rows.catalog)
    sums = groups.member_sums(member_rows)
    group_rows = groups.group_rows(group.activities, group.members, enrolled_members, sums)
    return Tables(
        by_key(rows.learners, LEARNER_KEY),
        by_key(rows.activities, ("activity_type", "activity_id", "context_id")),
        by_key(group_rows, groups.GROUP_ACTIVITY_KEY),
        by_key(member_rows, groups.MEMBER_KEY),
        {},
        by_key(rows.catalog, ("context_id", "activity_type", "activity_id"), "course_id"),
        Counter({name: count for name, count in counts.items() if name.startswith(("refused.", "counted."))}),
    )


def written(spark: SparkSession, source: Source, folder: Path) -> settings.Sources:
    """The source as Parquet files, under the names as deployed."""
    rows: dict[str, list[Any]] = {
        "enrolments": [(*row[:5], moment(row.completed_on)) for row in source.enrolments],
        "progress": [row[:5] for row in source.progress],
        "hierarchies": list(source.hierarchies.items()),
        "attempts": [(*row[:-1], moment(row.last_attempted_on)) for row in source.attempts],
        "batches": [],
        "groups": [(row.group_id, row.status, row.activities) for row in source.groups],
        "group_members": [(row.group_id, row.user_id, row.status) for row in source.group_members],
    }
    files = {name: settings.Source(format="parquet", path=str(folder / name)) for name in rows}
    for table in SOURCE_TABLES:
        names = [deployed_name(table, files[table.name], field.name) for field in fields(table)]
        frame = spark.createDataFrame([tuple(row) for row in rows[table.name]], table.schema).toDF(*names)
        frame.coalesce(2).write.parquet(files[table.name].path or "")
    return settings.Sources(**files, users=None)


def moment(date: int | None) -> datetime | None:
    return None if date is None else datetime.fromtimestamp(date / 1000, UTC)


def by_key(rows: DataFrame, key: tuple[str, ...], value: str = "agg") -> dict[Any, Any]:
    """Rows as a dictionary; a key that occurs twice is an error."""
    collected = [(tuple(row[column] for column in key), row[value]) for row in rows.select(*key, value).collect()]
    found = dict(collected)
    assert len(found) == len(collected), f"{len(collected) - len(found)} rows share a key of {key}"
    return found


def assert_same(table: str, found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    """Equal dictionaries; a mismatch names the table and the first keys that differ."""
    differing = [key for key in sorted({*found, *wanted}, key=str) if found.get(key) != wanted.get(key)]
    shown = "\n".join(f"{key}: expected {wanted.get(key)}, found {found.get(key)}" for key in differing[:5])
    assert not differing, f"{len(differing)} of {len(wanted)} in {table} differ:\n{shown}"
