"""The bytes of staged rows, held against what the driver itself makes of the same rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from cassandra.cqltypes import DateType, DoubleType, Int32Type, LongType, MapType, SetType, UTF8Type
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_aggregates.writing.encoding import (
    DeleteEncoder,
    Encoder,
    MetricsEncoder,
    PlainTextEncoder,
    Row,
    TextsEncoder,
    Times,
)

PROTOCOL = 4
TIMES = Times(write_time=1_767_225_600_123_004, as_of_ms=1_767_225_600_123)
UNORDERED = Times(write_time=None, as_of_ms=TIMES.as_of_ms)
KEY = ("activity_id", "context_id")
METRICS = ("completed", "größe", "completedCount")
MAPS = ("agg", "at")
WHERE = "WHERE activity_id = ? AND context_id = ?"

VALUES = MapType.apply_parameters([UTF8Type, DoubleType])
DATES = MapType.apply_parameters([UTF8Type, DateType])
TEXTS = MapType.apply_parameters([UTF8Type, UTF8Type])
NAMES = SetType.apply_parameters([UTF8Type])

Entries = dict[str, Any] | None
# (metrics as they will be, as they were, entries as they will be, as they were) of a row.
Change = tuple[dict[str, float], dict[str, float], Entries, Entries]

values = st.sampled_from([0.0, -0.0, 1.0, 66.66, 5e-324, 1.7e308]) | st.floats(allow_nan=False)
metrics = st.fixed_dictionaries({}, optional=dict.fromkeys(METRICS, values))
names = st.text(st.characters(codec="utf-8"), max_size=9).map("score:{}".format)
entries = st.none() | st.dictionaries(names, values, max_size=5)
changes = st.lists(st.tuples(metrics, metrics, entries, entries), max_size=6)
texts = st.none() | st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=9))


@pytest.mark.parametrize("times", [TIMES, UNORDERED], ids=["dated", "left to the store"])
@settings(deadline=None)
@given(rows=changes, start=st.integers(0, 3))
def test_the_bytes_are_those_of_the_driver_for_any_slice_of_a_record_batch(
    times: Times, rows: list[Change], start: int
) -> None:
    encoded = list(encoder(times).rows(record_batch(rows).slice(start)))
    wanted = [serialised(number, row, times) for number, row in enumerate(rows) if number >= start]
    assert sorted(row.values for row in encoded) == sorted(row for row in wanted if row is not None)


def test_a_statement_names_only_what_its_row_does() -> None:
    both, removes, sets = statements(
        encoder(TIMES), ({"completed": 1.0}, {"größe": 1.0}, None, None), ({}, {"completed": 1.0}, None, None),
        ({"completed": 1.0}, {}, None, None),
    )  # fmt: skip
    assert sets == f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg + ?, at = at + ? {WHERE}"
    assert removes == f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg - ?, at = at - ? {WHERE}"
    assert both == f"UPDATE ks.t USING TIMESTAMP ? SET agg = agg + ?, at = at + ?, agg = agg - ?, at = at - ? {WHERE}"


def test_without_a_write_time_no_statement_names_one() -> None:
    (sets,) = statements(encoder(UNORDERED), ({"completed": 1.0}, {}, None, None))
    assert sets == f"UPDATE ks.t SET agg = agg + ?, at = at + ? {WHERE}"


def test_entries_are_counted_and_a_row_without_any_is_left_out() -> None:
    rows = encoded(
        ({"completed": 1.0}, {"completed": 1.0}, {"score:A": 1.0}, {"score:A": 1.0}),
        ({"completed": 1.0, "completedCount": 2.0}, {"größe": 1.0}, {"score:B": 1.0}, {"score:A": 1.0}),
    )
    assert [(row.entries_set, row.entries_removed) for row in rows] == [(3, 2)]


def test_rows_of_tables_without_entries_are_read_without_their_columns() -> None:
    plain = MetricsEncoder("ks.t", KEY, METRICS[:1], MAPS, has_entries=False, times=TIMES)
    assert list(plain.columns) == [*KEY, "completed", "was_completed"]
    (row,) = plain.rows(record_batch([({"completed": 1.0}, {}, None, None)]).select(list(plain.columns)))
    assert row.values == serialised(0, ({"completed": 1.0}, {}, None, None), TIMES)


def test_a_table_may_have_more_metrics_than_a_word_has_bits() -> None:
    many = tuple(f"m{number}" for number in range(70))
    will, was = dict.fromkeys(many[1::2], 1.0), dict.fromkeys(many[::2], 1.0)
    columns: dict[str, Any] = {"activity_id": ["c0"], "context_id": ["cb:b1"]}
    for name in many:
        columns[name] = pa.array([will.get(name)], pa.float64())
        columns[f"was_{name}"] = pa.array([was.get(name)], pa.float64())
    (row,) = MetricsEncoder("ks.t", KEY, many, MAPS, has_entries=False, times=TIMES).rows(pa.record_batch(columns))
    assert row.values == serialised(0, (will, was, None, None), TIMES)


@settings(deadline=None)
@given(texts, texts)
def test_texts_are_in_one_map_and_their_bytes_those_of_the_driver(will: Entries, was: Entries) -> None:
    metadata = TextsEncoder("ks.metadata", KEY, "metadata", TIMES)
    changed = {"x": "new"}, {"x": "old"}  # a row before it, so that what is read is not the first
    found = [row.values for row in metadata.rows(texts_batch(changed, (will, was)))]
    to_set, removed = differences(will or {}, was or {})
    maps = [TEXTS.serialize(to_set, PROTOCOL)] if to_set else []
    names = [NAMES.serialize(removed, PROTOCOL)] if removed else []
    assert found[1:] == ([[*times_of(TIMES), *maps, *names, b"c1", b"cb:b1"]] if maps or names else [])


def test_a_map_of_texts_is_set_and_removed_from_entry_by_entry() -> None:
    (row,) = TextsEncoder("ks.t", KEY, "metadata", TIMES).rows(texts_batch(({"a": "1"}, {"b": "2"})))
    assert row.statement == (
        f"UPDATE ks.t USING TIMESTAMP ? SET metadata = metadata + ?, metadata = metadata - ? {WHERE}"
    )
    assert (row.entries_set, row.entries_removed) == (1, 1)


def test_a_row_of_one_text_is_written_or_goes() -> None:
    catalog = PlainTextEncoder("ks.catalog", KEY, "course_id", TIMES)
    new, gone, moved, same = ({"course_id": "c1"}, None), (None, {"course_id": "c1"}), (
        {"course_id": "c2"}, {"course_id": "c1"},
    ), ({"course_id": "c1"}, {"course_id": "c1"})  # fmt: skip
    inserted, deleted, replaced = catalog.rows(texts_batch(new, gone, moved, same))
    (time,) = times_of(TIMES)
    assert inserted.statement == (
        "INSERT INTO ks.catalog (activity_id, context_id, course_id) VALUES (?, ?, ?) USING TIMESTAMP ?"
    )
    assert inserted.values == [b"c0", b"cb:b1", b"c1", time]
    assert deleted.statement == f"DELETE FROM ks.catalog USING TIMESTAMP ? {WHERE}"
    assert deleted.values == [time, b"c1", b"cb:b1"]
    assert (replaced.statement, replaced.values) == (inserted.statement, [b"c2", b"cb:b1", b"c2", time])


def test_a_row_that_goes_as_a_whole_is_deleted_by_its_key_of_texts_and_numbers() -> None:
    quarantine = DeleteEncoder("ks.quarantine", ("run_id", "bucket"), UNORDERED)
    columns = {"run_id": ["r1", "r2"], "bucket": pa.array([7, -1], pa.int32())}
    found = list(quarantine.rows(pa.record_batch(columns)))
    assert {row.statement for row in found} == {"DELETE FROM ks.quarantine WHERE run_id = ? AND bucket = ?"}
    assert [row.values for row in found] == [
        [b"r1", Int32Type.serialize(7, PROTOCOL)], [b"r2", Int32Type.serialize(-1, PROTOCOL)]
    ]  # fmt: skip


def encoder(times: Times) -> MetricsEncoder:
    return MetricsEncoder("ks.t", KEY, METRICS, MAPS, has_entries=True, times=times)


def encoded(*rows: Change) -> list[Row]:
    return list(encoder(TIMES).rows(record_batch(rows)))


def statements(of: Encoder, *rows: Change) -> list[str]:
    """In the order of the rows' keys, which are the last values but one."""
    return [row.statement for row in sorted(of.rows(record_batch(rows)), key=lambda row: row.values[-2])]


def record_batch(rows: Any) -> pa.RecordBatch:
    """Rows with ids c0, c1 and so on."""
    kind = pa.map_(pa.string(), pa.float64())
    columns = {**keys_of(len(rows))}
    for name in METRICS:
        columns[name] = pa.array([row[0].get(name) for row in rows], pa.float64())
        columns[f"was_{name}"] = pa.array([row[1].get(name) for row in rows], pa.float64())
    columns["entries"] = pa.array([items(row[2]) for row in rows], kind)
    columns["was_entries"] = pa.array([items(row[3]) for row in rows], kind)
    return pa.record_batch(columns)


def texts_batch(*rows: tuple[Entries, Entries]) -> pa.RecordBatch:
    kind = pa.map_(pa.string(), pa.string())
    columns = {"texts": pa.array([items(row[0]) for row in rows], kind)}
    columns["was_texts"] = pa.array([items(row[1]) for row in rows], kind)
    return pa.record_batch(keys_of(len(rows)) | columns)


def keys_of(count: int) -> dict[str, pa.Array]:
    numbered = [f"c{number}" for number in range(count)]
    return {"activity_id": pa.array(numbered, pa.string()), "context_id": pa.array(["cb:b1"] * count, pa.string())}


def items(entries: Entries) -> list[tuple[str, Any]] | None:
    return None if entries is None else list(entries.items())


def differences(will: dict[str, Any], was: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What is set and what is removed, by their names in order."""
    to_set = {name: will[name] for name in sorted(will) if will[name] != was.get(name)}
    return to_set, sorted(set(was) - set(will))


def serialised(number: int, row: Change, times: Times) -> list[bytes] | None:
    """The values of a row's statement as the driver encodes them, metrics in their order, then entries by name."""
    will, was, entries_will, entries_were = row
    to_set = {name: will[name] for name in will if will[name] != was.get(name)}
    to_set = {name: to_set[name] for name in sorted(to_set, key=_place)}
    removed = sorted(set(was) - set(will), key=_place)
    further, gone = differences(entries_will or {}, entries_were or {})
    to_set, removed = {**to_set, **further}, [*removed, *gone]
    if not to_set and not removed:
        return None
    values = times_of(times)
    if to_set:
        values.append(VALUES.serialize(to_set, PROTOCOL))
        values.append(DATES.serialize(dict.fromkeys(to_set, times.as_of_ms), PROTOCOL))
    if removed:
        values += [NAMES.serialize(removed, PROTOCOL)] * 2
    return [*values, f"c{number}".encode(), b"cb:b1"]


def _place(name: str) -> int:
    return METRICS.index(name) if name in METRICS else int(name[1:])


def times_of(times: Times) -> list[bytes]:
    return [] if times.write_time is None else [LongType.serialize(times.write_time, PROTOCOL)]
