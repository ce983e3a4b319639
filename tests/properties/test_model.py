"""The slow model agrees with itself on generated sources: its counts are sums of its rows, and it is at rest."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.generators import USERS, sources
from tests.model import FAMILIES, Settings, Source, model, published_problems, without
from tests.model.tables import KEYS, differences

EXAMPLES = hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
SETTINGS = st.builds(
    Settings,
    families=st.frozensets(st.sampled_from(sorted(FAMILIES))).map(lambda some: some | {"completion"}),
    sticky=st.booleans(),
    scores_in_course=st.booleans(),
    course_types=st.sampled_from([("Course",), ("Course", "TextBook"), ("textbook",)]),
    time_zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]),
)


@EXAMPLES
@given(sources(), SETTINGS)
def test_every_published_count_is_the_sum_of_the_rows(source: Source, settings: Settings) -> None:
    assert not published_problems(model(source, settings), settings)


@EXAMPLES
@given(sources(), sources(), SETTINGS)
def test_counts_are_sums_also_where_rows_of_unsettled_courses_stay(
    before: Source, source: Source, settings: Settings
) -> None:
    assert not published_problems(model(source, settings, model(before, settings)), settings)


@EXAMPLES
@given(sources(), sources(), SETTINGS)
def test_a_second_run_changes_nothing(before: Source, source: Source, settings: Settings) -> None:
    once = model(source, settings, model(before, settings))
    assert not differences(model(source, settings, once), once)


@EXAMPLES
@given(sources(), sources(), SETTINGS)
def test_the_way_does_not_matter_where_every_course_is_settled(
    before: Source, source: Source, settings: Settings
) -> None:
    tree = '{"identifier": "c", "children": [{"identifier": "l1"}, {"identifier": "q1"}]}'
    settled = replace(source, hierarchies=dict.fromkeys(["c1", "c2", "c10", "c404"], tree))
    settled = replace(settled, enrolments=[row for row in source.enrolments if row.course_id in settled.hierarchies])
    assert not differences(model(settled, settings, model(before, settings)), model(settled, settings))


@EXAMPLES
@given(sources(), SETTINGS, st.sampled_from([1, -1]), st.data())
def test_a_count_that_is_changed_is_found(source: Source, settings: Settings, by: int, data: st.DataObject) -> None:
    tables = model(source, settings)
    summed = [
        (table, key, name)
        for table in ("activity_agg", "activity_day_agg", "group_activity_agg")
        for key, row in getattr(tables, table).items()
        for name in row
        if name not in ("memberCount", "leafNodesCount")
        and not (name == "enrolledCount" and (key[2].startswith("g:") or table == "group_activity_agg"))
    ]
    if summed:
        table, key, name = data.draw(st.sampled_from(summed))
        getattr(tables, table)[key][name] += by
        assert published_problems(tables, settings)


@EXAMPLES
@given(sources(), SETTINGS)
def test_whoever_is_erased_is_in_no_table(source: Source, settings: Settings) -> None:
    tables = model(without(source, {USERS[0]}), settings)
    assert not [key for table in KEYS for key in getattr(tables, table) if USERS[0] in key]


@pytest.mark.parametrize("table", ["activity_user_agg", "activity_agg", "group_activity_agg"])
@EXAMPLES
@given(source=sources())
def test_what_others_write_stays(table: str, source: Source) -> None:
    before = model(source)
    written: dict[str, Any] = {table: {key: {"foreign": 7.0} for key in getattr(before, table)}}
    foreign = replace(before, **written)
    after = getattr(model(source, Settings(), foreign), table)
    assert after == {key: row | {"foreign": 7.0} for key, row in getattr(before, table).items()}
