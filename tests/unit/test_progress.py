"""From rows of content progress to counts per learner and collection, over more leaves than a word has bits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.sources.declarations import ENROLMENTS, PROGRESS
from activity_aggregates.sources.typed import typed
from metrics.enrolments import assess_enrolments, enrolments_by_key
from metrics.keys import enrolment_key
from metrics.progress import (
    assess_progress,
    matched_progress_counts,
    progress_by_collection,
    progress_words,
    with_progress,
)
from metrics.refusals import accepted
from metrics.trees.courses import collection_masks, is_draft, numbered_leaves, outlines
from tests.harness.frames import assert_rows, frame
from tests.harness.hierarchy import hierarchy_text

# 130 leaves, l0 to l129, of which l129 is optional: three words. The units share l60 to l69.
WIDE = hierarchy_text(
    {
        "course": "c1",
        "children": [
            {"unit": "n1", "children": [f"l{number}" for number in range(70)]},
            {
                "unit": "n2",
                "children": [*(f"l{number}" for number in range(60, 129)), {"leaf": "l129", "optional": True}],
            },
        ],
    }
)
ENROLLED = "user_id string, course_id string, batch_id string, active boolean"
KEY = "user_id string, course_id string, batch_id string"
SEEN = f"{KEY}, content_id string, status int"
LEARNERS = [("u1", True), ("u2", True), ("u3", True), ("u4", False), ("u6", True)]
CONTENTS: dict[str, list[tuple[str, int | None]]] = {
    "u1": [("l0", 2), ("l63", 2), ("l64", 2), ("l127", 2), ("l128", 2), ("l129", 2), ("foreign", 2), ("l1", 0)],
    "u3": [("l0", 1), ("l0", 2), ("l0", None), ("l65", 1)],
    "u4": [("l0", 2), ("foreign", 2)],
    "u5": [("l0", 2)],
    "u6": [("foreign", 2), ("n1", 2)],
}


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@pytest.fixture(scope="module")
def courses(spark: SparkSession) -> DataFrame:
    return outlines(spark.createDataFrame([("c1", WIDE)], "course_id string, hierarchy string")).persist()


@pytest.fixture(scope="module")
def learners(spark: SparkSession, courses: DataFrame) -> DataFrame:
    """Each enrolment of c1 with its words of progress."""
    enrolled = typed(
        spark.createDataFrame([(user, "c1", "b1", active) for user, active in LEARNERS], ENROLLED), ENROLMENTS
    )
    rows = [(user, "c1", "b1", content, status) for user, contents in CONTENTS.items() for content, status in contents]
    contents = accepted(assess_progress(typed(spark.createDataFrame(rows, SEEN), PROGRESS)))
    by_key = enrolments_by_key(accepted(assess_enrolments(enrolled, courses)))
    return with_progress(by_key, progress_words(contents, numbered_leaves(courses))).persist()


@pytest.fixture(scope="module")
def counted(learners: DataFrame, courses: DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """(started, done) by learner and collection."""
    rows = progress_by_collection(learners, collection_masks(courses)).collect()
    return {(row.user_id, row.activity_id): (row.startedCount, row.completedCount) for row in rows}


def test_every_leaf_counts_at_the_borders_of_words_and_an_optional_one_as_started_only(
    counted: dict[tuple[str, str], tuple[int, int]],
) -> None:
    assert counted["u1", "c1"] == (6, 5)
    assert counted["u1", "n1"] == (3, 3)
    assert counted["u1", "n2"] == (5, 4)


def test_of_several_rows_for_one_content_the_highest_status_counts(
    counted: dict[tuple[str, str], tuple[int, int]],
) -> None:
    assert counted["u3", "n1"] == (2, 1)


def test_who_did_nothing_has_a_row_of_the_course_and_none_of_a_unit(
    counted: dict[tuple[str, str], tuple[int, int]],
) -> None:
    assert {key: value for key, value in counted.items() if key[0] in ("u2", "u6")} == {
        ("u2", "c1"): (0, 0),
        ("u6", "c1"): (0, 0),
    }


def test_nobody_else_is_counted(counted: dict[tuple[str, str], tuple[int, int]]) -> None:
    assert {user for user, _ in counted} == {"u1", "u2", "u3", "u6"}


def test_rows_that_count_nowhere_are_counted_by_why(learners: DataFrame) -> None:
    found = learners.agg(*matched_progress_counts()).first()
    assert found is not None
    assert found.asDict() == {
        "matched": 16, "retired_progress": 0, "inactive_enrolment": 2, "foreign_content": 3,
    }  # fmt: skip


def test_a_row_of_a_course_has_the_latest_access_to_any_content_and_details_of_its_enrolment(
    spark: SparkSession, courses: DataFrame
) -> None:
    enrolments = frame(
        spark, f"{KEY}, is_retired boolean, is_enrolled boolean, is_earned boolean, certified int",
        ("u1", "c1", "b1", False, True, True, 1), ("u2", "c1", "b1", True, True, False, 0),
    ).select("*", *enrolment_key())  # fmt: skip
    contents = frame(
        spark, f"{SEEN}, accessed_on timestamp",
        ("u1", "c1", "b1", "l0", 1, at(1)), ("u1", "c1", "b1", "l70", 2, at(2)),
        ("u1", "c1", "b1", "foreign", 1, at(3)), ("u2", "c1", "b1", "l0", 2, at(4)),
        ("u2", "c1", "b1", "foreign", 2, at(4)),
    )  # fmt: skip
    joined = with_progress(enrolments, progress_words(contents, numbered_leaves(courses)))
    found = progress_by_collection(joined, collection_masks(courses), ["certified"])
    learner = ["key_high", "key_low", "user_id", "course_id", "context_id", "is_earned", "certified"]
    activity = ["activity_type", "activity_id", "leafNodesCount", "startedCount", "completedCount", "accessedOn"]
    assert found.columns == [*learner, *activity]
    assert_rows(
        found.filter("activity_type = 'Course'"),
        "activity_id string, user_id string, context_id string, course_id string, is_earned boolean, certified int, "
        "startedCount bigint, completedCount bigint, leafNodesCount bigint, accessedOn bigint",
        ("c1", "u1", "cb:b1", "c1", True, 1, 2, 1, 129, 3000),
    )  # fmt: skip
    assert_rows(
        joined.agg(*matched_progress_counts()),
        "matched bigint, retired_progress bigint, inactive_enrolment bigint, foreign_content bigint", (5, 2, 0, 1),
    )  # fmt: skip
    nothing = joined.filter(F.lit(False)).agg(*matched_progress_counts())
    assert [tuple(row) for row in nothing.collect()] == [(0, 0, 0, 0)]


def test_progress_without_key_or_with_an_unknown_status_is_refused(spark: SparkSession) -> None:
    expected: dict[tuple[Any, ...], str | None] = {
        ("u1", "c1", "b1", "l1", 3): "invalid_status",
        ("u1", "c1", "b1", "", 3): "missing_key",
        ("u1", "c1", None, "l1", 1): "missing_key",
        ("u1", " ", "b1", "l1", 1): "missing_key",
        ("u1", "c1", "b1", "l1", None): None,
    }
    found = assess_progress(typed(spark.createDataFrame([*expected], SEEN), PROGRESS)).collect()
    assert {tuple(row)[:5]: row.problem for row in found} == expected


def test_progress_with_a_date_that_is_none_is_refused_after_key_and_status(spark: SparkSession) -> None:
    rows = [("u1", 1), ("u1", 3), (" ", 1)]
    seen = [(user, "c1", "b1", "l1", status, "never") for user, status in rows]
    dated = spark.createDataFrame(seen, f"{SEEN}, accessed_on string")
    found = assess_progress(typed(dated, PROGRESS)).collect()
    assert [row.problem for row in found] == ["invalid_date", "invalid_status", "missing_key"]


def test_a_draft_is_known_by_the_end_of_its_identifier(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("do_1",), ("do_1.img",), ("img",), ("do.img.1",)], "course_id string")
    assert [row.course_id for row in rows.filter(is_draft()).collect()] == ["do_1.img"]
