"""The job's computation against the slow model, on generated sources, with ANSI off and on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from activity_aggregates.sources.tables import Sources
from activity_aggregates.store.erased import NOBODY
from metrics.declarations import FAMILIES
from tests.model import Settings
from tests.model.tables import KEYS, CatalogKey
from tests.properties.computation import Computation
from tests.properties.worlds import apart, expected, united

_WORLDS = 120
_SEEDS = (1, 2)
_SHOWN = 5
_ENTRIES = "entries"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("number", _SEEDS)
def test_every_row_is_what_the_model_says(spark: SparkSession, ansi: str, number: int, tmp_path: Path) -> None:
    worlds = [apart(world, f"w{index}") for index, world in enumerate(drawn(number))]
    sticky, scores_in_course = number % 2 == 1, ansi == "false"
    families = tuple(FAMILIES) if number % 2 == 1 else ("completion",)
    wanted = expected(worlds, Settings(frozenset(families), sticky, scores_in_course))
    opened = Sources(spark, written(spark, served(united(worlds)), tmp_path), {}, NOBODY)
    found = Computation(opened, families, sticky, scores_in_course).rows()
    by_table = {
        "activity_user_agg": found.learners, "activity_agg": found.activities, "group_activity_agg": found.groups,
        "group_activity_user_agg": found.members,
    }  # fmt: skip
    for table, rows in by_table.items():
        assert_same(spark, table, metrics_by_key(rows, KEYS[table]._fields, table), getattr(wanted, table))
    owners = found.catalog.select(*CatalogKey._fields, "course_id").collect()
    assert {CatalogKey(*row[:-1]): row[-1] for row in owners} == wanted.activity_catalog
