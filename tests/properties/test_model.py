"""The slow model agrees with itself on random platforms: its counts are sums of its rows, and it is at rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from tests.model import Settings, Source, Tables, differences, erased_from, model, published_problems, without
from tests.model.tables import KEYS
from tests.properties.histories import drawn_settings
from tests.properties.platforms import Platform
from tests.properties.watching import settings_of

_PLATFORMS = 150


class Stage(NamedTuple):
    """A platform at two times, and the settings of the runs over both."""

    before: Source
    now: Source
    settings: Settings
    chance: random.Random


def stages(number: int = _PLATFORMS) -> Iterator[Stage]:
    for seed in range(number):
        chance = random.Random(f"stage {seed}")
        platform = Platform("", chance)
        platform.begin()
        before = platform.rows.source()
        for _ in range(chance.randint(1, 15)):
            platform.go_on()
        yield Stage(before, platform.rows.source(), settings_of(drawn_settings(chance)), chance)


def test_every_published_count_is_the_sum_of_the_rows() -> None:
    for stage in stages():
        stood = model(stage.before, stage.settings)
        assert not published_problems(stood, stage.settings)
        assert not published_problems(model(stage.now, stage.settings, stood), stage.settings)


def test_a_second_run_changes_nothing() -> None:
    for stage in stages():
        once = model(stage.now, stage.settings, model(stage.before, stage.settings))
        assert not differences(model(stage.now, stage.settings, once), once)


def test_the_way_does_not_matter_where_every_course_is_settled() -> None:
    tree = '{"identifier": "c", "children": [{"identifier": "k"}, {"identifier": "p"}]}'
    for stage in stages():
        settled = replace(stage.now, hierarchies=dict.fromkeys("abcd", tree))
        stood = model(stage.before, stage.settings)
        assert not differences(model(settled, stage.settings, stood), model(settled, stage.settings))


@pytest.mark.parametrize("by", [1.0, -1.0])
def test_a_count_that_is_changed_is_found(by: float) -> None:
    for stage in stages():
        tables = model(stage.now, stage.settings)
        for table, key, name in stage.chance.sample(list(summed(tables)), k=1) if tables.activity_agg else ():
            getattr(tables, table)[key][name] += by
            assert published_problems(tables, stage.settings)


def summed(tables: Tables) -> Iterator[tuple[str, Any, str]]:
    """The entries that follow from rows of learners."""
    for table in ("activity_agg", "activity_day_agg", "group_activity_agg"):
        for key, row in getattr(tables, table).items():
            is_of_members = table == "group_activity_agg" or (table == "activity_agg" and key.context_id[:2] == "g:")
            sources_alone = {"memberCount", "leafNodesCount", *(["enrolledCount"] if is_of_members else [])}
            yield from ((table, key, name) for name in row if name not in sources_alone)


def test_whoever_is_erased_is_in_no_table_and_counted_nowhere() -> None:
    for stage in stages():
        stood = erased_from(model(stage.before, stage.settings), {"a"}, stage.settings)
        after = model(without(stage.now, {"a"}), stage.settings, stood)
        assert not [key for table in ("activity_user_agg", "group_activity_user_agg") for key in getattr(after, table)
                    if key.user_id == "a"]  # fmt: skip
        assert not published_problems(after, stage.settings)


@pytest.mark.parametrize("table", KEYS)
def test_what_others_write_stays(table: str) -> None:
    for stage in stages():
        before = model(stage.before, stage.settings)
        written: dict[str, Any] = {table: {key: {"of others": 7.0} for key in getattr(before, table)}}
        after = getattr(model(stage.now, stage.settings, replace(before, **written)), table)
        assert all(after[key]["of others"] == 7 for key in getattr(before, table))
