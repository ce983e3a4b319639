"""Who is told of as having completed a course."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.changes.change_set import staged_schema
from activity_aggregates.changes.completions import FILES, RECORD, CompletionFiles, completions
from activity_aggregates.errors import JobError
from activity_aggregates.store.erased import Erased
from metrics.declarations import Selection, all_names
from tests.harness.frames import assert_rows, frame

AS_OF, EARLIER = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
JANUARY_1 = 1767225600000.0


def changed(spark: SparkSession, families: tuple[str, ...], *rows: dict[str, Any]) -> DataFrame:
    schema = staged_schema(all_names(Selection(families)))
    columns = [column.partition(" ")[0] for column in schema.split(", ")]
    common = {"table": "activity_user_agg", "activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1"}
    return frame(spark, schema, *(tuple((common | row).get(column) for column in columns) for row in rows))


def test_they_are_those_whose_course_becomes_completed(spark: SparkSession) -> None:
    rows = changed(
        spark, ("completion", "dates"),
        {"user_id": "new", "completed": 1.0, "completedOn": JANUARY_1},
        {"user_id": "now", "completed": 1.0, "was_completed": 0.0},
        {"user_id": "before", "completed": 1.0, "was_completed": 1.0, "completedOn": JANUARY_1},
        {"user_id": "not-any-more", "completed": 0.0, "was_completed": 1.0},
        {"user_id": "retracted", "was_completed": 1.0},
        {"user_id": "of-a-unit", "activity_type": "CourseUnit", "completed": 1.0},
        {"user_id": "of-a-group", "table": "group_activity_user_agg", "completed": 1.0},
    )  # fmt: skip
    assert_rows(
        completions(rows, "run1", AS_OF), RECORD,
        ("new", "c1", "cb:b1", EARLIER, AS_OF, "run1"), ("now", "c1", "cb:b1", None, AS_OF, "run1"),
    )  # fmt: skip


@pytest.mark.usefixtures("ansi")
def test_where_dates_are_not_computed_nobody_has_one(spark: SparkSession) -> None:
    rows = changed(spark, ("completion",), {"user_id": "u1", "completed": 1.0})
    assert_rows(completions(rows, "run1", AS_OF), RECORD, ("u1", "c1", "cb:b1", None, AS_OF, "run1"))


def test_what_a_run_has_left_that_died_while_it_told_goes_with_an_erase(spark: SparkSession, tmp_path: Path) -> None:
    left = tmp_path / "20260101T000000Z-aaaaaa/_temporary/0/part-0.json"
    left.parent.mkdir(parents=True)
    left.write_text('{"user_id": "u1"}')
    CompletionFiles(spark, str(tmp_path), "json").remove(Erased(b"a secret of sixteen").with_users(["u1"]))
    assert not left.exists()


@pytest.mark.parametrize("format_", FILES)
def test_a_damaged_file_is_named_by_an_erase_for_it_may_name_the_erased(
    spark: SparkSession, tmp_path: Path, format_: str
) -> None:
    files, run_id = CompletionFiles(spark, str(tmp_path), format_), "20260101T000000Z-aaaaaa"
    files.write(frame(spark, RECORD, ("u1", "c1", "cb:b1", None, AS_OF, "run1")), run_id)
    (file,) = (tmp_path / run_id).glob("part-*")
    file.write_bytes(file.read_bytes()[:-5])
    erased = Erased(b"a secret of sixteen").with_users(["u1"])
    with pytest.raises(JobError, match=rf"completions in .*/{run_id} cannot be read .* start the erase again"):
        files.remove(erased)
