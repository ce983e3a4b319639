"""Maps of metrics as answers show them, made from the bytes that the driver would have decoded."""

from __future__ import annotations

from datetime import UTC, datetime

from cassandra.cqltypes import DateType, DoubleType, MapType, UTF8Type
from hypothesis import given
from hypothesis import strategies as st

from activity_aggregates.api.answering.fields import EVERYTHING, Fields
from activity_aggregates.api.answering.shapes import entries
from activity_aggregates.api.stored.maps import Reader

PROTOCOL = 4
NUMBERS = MapType.apply_parameters([UTF8Type, DoubleType])
TIMESTAMPS = MapType.apply_parameters([UTF8Type, DateType])


def stored(values: dict[str, float | None]) -> bytes:
    raw: bytes = NUMBERS.serialize(values, PROTOCOL)
    return raw


def dated(values: dict[str, datetime | None]) -> bytes:
    raw: bytes = TIMESTAMPS.serialize(values, PROTOCOL)
    return raw


def test_a_metric_has_its_value_and_the_time_of_its_change() -> None:
    maps = stored({"pageViews": 7.0, "undated": 66.66}), dated({"pageViews": datetime(2026, 1, 1, tzinfo=UTC)})
    assert entries(maps, EVERYTHING) == [
        {"metric": "pageViews", "value": 7, "lastUpdatedOn": 1767225600000},
        {"metric": "undated", "value": 66.66, "lastUpdatedOn": None},
    ]


def test_a_row_without_entries_has_no_metrics() -> None:
    assert [entries(maps, EVERYTHING) for maps in (None, (None, None), (stored({}), None))] == [[], [], []]


def test_what_is_no_number_in_json_is_left_out() -> None:
    values = {"a": float("inf"), "b": float("nan"), "c": None, "d": -0.5, "e": 1e300}
    shown = entries((stored(values), dated({"d": None})), EVERYTHING)
    assert [(entry["metric"], entry["value"], entry["lastUpdatedOn"]) for entry in shown] == [
        ("d", -0.5, None),
        ("e", 1e300, None),
    ]


def test_only_the_metrics_asked_for_are_listed() -> None:
    shown = entries(
        (stored({"a": 1.0, "b": 2.0}), None), Fields(sections=frozenset({"members"}), metrics=frozenset({"b"}))
    )
    assert [entry["metric"] for entry in shown] == ["b"]


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "ä", "bb", ""]), st.floats(allow_nan=False) | st.none()))
)
def test_maps_of_any_keys_are_read_one_after_the_other(maps: list[dict[str, float | None]]) -> None:
    """Also those as long as one with other keys, or with an empty value in another place."""
    reader: Reader[float] = Reader("d")
    for each in maps:
        assert dict(reader.entries(stored(each))) == {key: value for key, value in each.items() if value is not None}
