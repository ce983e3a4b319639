"""The bytes of a change set, held against what the driver itself makes of the same rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from cassandra.cqltypes import DateType, DoubleType, LongType, MapType, SetType, UTF8Type
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_aggregates.writing.encoding import AggregateEncoder, CatalogEncoder, MetadataEncoder, Row

AS_OF_MS, WRITE_TIME = 1_767_225_600_123, 1_767_225_600_123_004
KEY = ("activity_id", "context_id")
PROTOCOL = 4

VALUES = MapType.apply_parameters([UTF8Type, DoubleType])
DATES = MapType.apply_parameters([UTF8Type, DateType])
TEXTS = MapType.apply_parameters([UTF8Type, UTF8Type])
NAMES = SetType.apply_parameters([UTF8Type])

Change = tuple[str, dict[str, float], list[str]]
names = st.text(st.characters(codec="utf-8"), max_size=9)
changes = st.tuples(names, st.dictionaries(names, st.floats(allow_nan=False), max_size=40), st.lists(names, max_size=3))


@settings(deadline=None)
@given(st.lists(changes, max_size=6), st.integers(0, 3))
def test_the_bytes_are_those_of_the_driver_for_any_slice_of_a_record_batch(rows: list[Change], start: int) -> None:
    encoded = [row.values for row in encoder().rows(record_batch(rows).slice(start))]
    assert encoded == [serialised(row) for row in rows[start:] if row[1] or row[2]]


def test_a_statement_names_only_what_its_row_does() -> None:
    sets, removes, both = encoded(("c1", {"a": 1.0}, []), ("c2", {}, ["b"]), ("c3", {"a": 1.0}, ["b"]))
    where = "WHERE activity_id = ? AND context_id = ?"
    assert sets.statement == f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg + ?, at = at + ? {where}"
    assert removes.statement == f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg - ?, at = at - ? {where}"
    assert both.statement == (
        f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg + ?, at = at + ?, agg = agg - ?, at = at - ? {where}"
    )
    assert {sets.statement, removes.statement, both.statement} == set(encoder().statements)


def test_entries_are_counted_and_a_row_without_any_is_left_out() -> None:
    rows = encoded(("c1", {}, []), ("c2", {"a": 1.0, "b": 2.0}, ["c"]))
    assert [(row.entries_set, row.entries_removed) for row in rows] == [(2, 1)]


def test_a_metric_without_a_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="a metric without a value"):
        encoded(("c1", {"a": None}, []))


@settings(deadline=None)
@given(st.dictionaries(names, names, min_size=1, max_size=4), st.lists(names, max_size=3))
def test_texts_are_in_one_map_and_their_bytes_those_of_the_driver(to_set: dict[str, str], to_remove: list[str]) -> None:
    metadata = MetadataEncoder("ks.metadata", KEY, "metadata", WRITE_TIME)
    before: Any = ("c0", {"name": "x"}, [])
    _, row = metadata.rows(record_batch([before, ("c1", to_set, to_remove)], pa.string()))
    removed = [NAMES.serialize(to_remove, PROTOCOL)] if to_remove else []
    time, key = LongType.serialize(WRITE_TIME, PROTOCOL), [b"c1", b"cb:b1"]
    assert row.values == [time, TEXTS.serialize(to_set, PROTOCOL), *removed, *key]
    assert row.statement.count("metadata = metadata") == (2 if to_remove else 1)


def test_an_entry_without_a_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="an entry without a text"):
        list(MetadataEncoder("ks.t", KEY, "m", 1).rows(record_batch([("c1", {"a": None}, [])], pa.string())))


def test_a_row_of_the_catalog_is_inserted_and_one_without_a_course_is_deleted() -> None:
    catalog = CatalogEncoder("ks.catalog", KEY, WRITE_TIME)
    columns = {"activity_id": ["a1", "a2"], "context_id": ["cb:b1", "cb:b1"], "course_id": ["c1", None]}
    inserted, deleted = catalog.rows(pa.record_batch(columns))
    time = LongType.serialize(WRITE_TIME, PROTOCOL)
    assert inserted.statement == (
        "INSERT INTO ks.catalog (activity_id, context_id, course_id) VALUES (?, ?, ?) USING TIMESTAMP ?"
    )
    assert inserted.values == [b"a1", b"cb:b1", b"c1", time]
    assert deleted.statement == "DELETE FROM ks.catalog USING TIMESTAMP ? WHERE activity_id = ? AND context_id = ?"
    assert deleted.values == [time, b"a2", b"cb:b1"]


def encoder() -> AggregateEncoder:
    return AggregateEncoder("ks.t", KEY, "agg", "at", AS_OF_MS, WRITE_TIME)


def encoded(*rows: Any) -> list[Row]:
    return list(encoder().rows(record_batch(rows)))


def record_batch(rows: Any, kind: pa.DataType | None = None) -> pa.RecordBatch:
    schema = pa.schema(
        [
            ("activity_id", pa.string()),
            ("context_id", pa.string()),
            ("to_set", pa.map_(pa.string(), kind or pa.float64())),
            ("to_remove", pa.list_(pa.string())),
        ]
    )
    columns = [(key, "cb:b1", list(to_set.items()), to_remove) for key, to_set, to_remove in rows]
    return pa.record_batch([list(column) for column in zip(*columns, strict=True)] or [[], [], [], []], schema=schema)


def serialised(row: Change) -> list[bytes]:
    """The values of the row's statement, encoded by the driver; a set keeps the order that it is given in."""
    key, to_set, to_remove = row
    values = [LongType.serialize(WRITE_TIME, PROTOCOL)]
    if to_set:
        values.append(VALUES.serialize(to_set, PROTOCOL))
        values.append(DATES.serialize(dict.fromkeys(to_set, AS_OF_MS), PROTOCOL))
    if to_remove:
        values += [NAMES.serialize(to_remove, PROTOCOL)] * 2
    return [*values, key.encode(), b"cb:b1"]
