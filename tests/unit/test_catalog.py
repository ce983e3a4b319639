"""Which activities a context has, and to which course a shared one belongs."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.catalog import IS_WHOLE, owned, owner_counts, owners, placements, strangers
from tests.harness.frames import assert_rows, frame

HELD = "context_id string, activity_type string, activity_id string, course_id string"
PLACED = f"{HELD}, leafNodesCount bigint"
OWNED = f"{HELD}, recorded_course_id string, leafNodesCount bigint"
FLAGS = "activity_id string, courses bigint, is_blocked boolean, is_moved boolean, is_foreign boolean"


def unit(context_id: str, name: str, course_id: str, *further: int | str | None) -> tuple[int | str | None, ...]:
    return context_id, "CourseUnit", name, course_id, *further


def test_a_course_and_its_units_are_in_its_contexts_and_a_quiz_where_it_was_attempted(spark: SparkSession) -> None:
    contexts = frame(spark, "course_id string, context_id string", ("c1", "cb:b1"), ("c1", "cb:b2"))
    activities = frame(
        spark, "course_id string, activity_type string, activity_id string, leafNodesCount bigint",
        ("c1", "Course", "c1", 7), ("c1", "CourseUnit", "n1", 4), ("of nobody", "Course", "of nobody", 1),
    )  # fmt: skip
    scores = frame(
        spark, f"{HELD}, is_retired boolean",
        ("cb:b1", "Quiz", "Q", "c2", False), ("cb:b1", "Quiz", "Q", "c2", False), ("cb:b1", "Quiz", "Q", "c4", True),
    )  # fmt: skip
    of_courses = [
        ("cb:b1", "Course", "c1", "c1", 7), ("cb:b1", "CourseUnit", "n1", "c1", 4),
        ("cb:b2", "Course", "c1", "c1", 7), ("cb:b2", "CourseUnit", "n1", "c1", 4),
    ]  # fmt: skip
    assert_rows(placements(contexts, activities, None), PLACED, *of_courses)
    assert_rows(placements(contexts, activities, scores), PLACED, *of_courses, ("cb:b1", "Quiz", "Q", "c2", None))


@pytest.fixture(scope="module")
def placed(spark: SparkSession) -> DataFrame:
    return frame(
        spark, PLACED,
        unit("cb:b1", "shared", "c2", 5), unit("cb:b1", "shared", "c1", 4), unit("cb:b1", "of c2", "c2", 5),
        unit("cb:b2", "shared", "c2", 5),
    )  # fmt: skip


def test_without_a_catalog_the_smallest_course_of_each_context_owns(placed: DataFrame) -> None:
    found = owners(placed, None, None, with_whole)
    assert_rows(
        found, OWNED,
        unit("cb:b1", "shared", "c1", None, 4), unit("cb:b1", "of c2", "c2", None, 5),
        unit("cb:b2", "shared", "c2", None, 5),
    )  # fmt: skip
    assert_rows(
        found.filter("context_id = 'cb:b1'"), FLAGS,
        ("shared", 2, False, False, False), ("of c2", 1, False, False, False),
    )  # fmt: skip


def with_whole(rows: DataFrame) -> DataFrame:
    return rows.withColumn(IS_WHOLE, F.col("context_id") == "cb:whole")


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> DataFrame:
    """Each activity by its name in a context that is read whole and in one that is not; c0 is unsettled."""
    placed = [
        ("kept", "c1"), ("smaller turned up", "c1"), ("smaller is elsewhere", "c3"), ("new", "c2"),
        ("of unsettled", "c1"),
    ]  # fmt: skip
    held = [
        ("kept", "c1"), ("smaller turned up", "c2"), ("smaller is elsewhere", "c2"), ("gone", "c1"),
        ("of unsettled", "c0"), ("gone and of unsettled", "c0"),
    ]  # fmt: skip
    contexts = ("cb:whole", "cb:part")
    return owners(
        frame(spark, PLACED, *(unit(context, *row, 7) for context in contexts for row in placed)),
        frame(spark, HELD, *(unit(context, *row) for context in contexts for row in held)),
        frame(spark, "course_id string", ("c0",)),
        with_whole,
    ).persist()


ANY = "activity_id string, course_id string, recorded_course_id string, leafNodesCount bigint"


def test_in_a_context_read_whole_the_smallest_course_owns_and_what_no_course_has_is_nobodys(found: DataFrame) -> None:
    assert_rows(
        found.filter("context_id = 'cb:whole' AND NOT is_blocked"), ANY,
        ("kept", "c1", "c1", 7), ("smaller turned up", "c1", "c2", 7), ("smaller is elsewhere", "c3", "c2", 7),
        ("new", "c2", None, 7), ("gone", None, "c1", None),
    )  # fmt: skip
    assert found.filter("context_id = 'cb:whole' AND NOT is_blocked AND (is_moved OR is_foreign)").isEmpty()


def test_in_another_context_the_catalog_goes_on_to_say_who_owns(found: DataFrame) -> None:
    assert_rows(
        found.filter("context_id = 'cb:part' AND NOT is_blocked"), ANY,
        ("kept", "c1", "c1", 7), ("smaller turned up", "c2", "c2", None), ("smaller is elsewhere", "c2", "c2", None),
        ("new", "c2", None, 7), ("gone", "c1", "c1", None),
    )  # fmt: skip


def test_a_smaller_course_than_the_catalogs_has_moved_what_it_owns(found: DataFrame) -> None:
    assert_rows(
        found.filter("context_id = 'cb:part' AND NOT is_blocked"), FLAGS,
        ("kept", 1, False, False, False), ("smaller turned up", 1, False, True, True),
        ("smaller is elsewhere", 1, False, False, True), ("new", 1, False, False, False),
        ("gone", 0, False, False, False),
    )  # fmt: skip


def test_what_an_unsettled_course_owns_is_blocked_and_stays_its_own_everywhere(found: DataFrame) -> None:
    assert_rows(
        found.filter("is_blocked"), "context_id string, activity_id string, course_id string, is_moved boolean",
        *(
            (context, name, "c0", False)
            for context in ("cb:whole", "cb:part") for name in ("of unsettled", "gone and of unsettled")
        ),
    )  # fmt: skip


def test_activities_are_counted_that_are_shared_moved_new_or_not_of_all_who_have_them(found: DataFrame) -> None:
    counts = found.filter("context_id = 'cb:part'").agg(*owner_counts())
    assert_rows(counts, "shared bigint, moved bigint, new bigint, foreign bigint", (0, 1, 1, 3))


def test_rows_of_courses_that_do_not_own_the_activity_in_the_context_are_left_out(
    spark: SparkSession, placed: DataFrame
) -> None:
    others = strangers(placed, owners(placed, None, None, with_whole))
    assert_rows(others, HELD, unit("cb:b1", "shared", "c2"))
    rows = frame(
        spark, HELD, unit("cb:b1", "shared", "c1"), unit("cb:b1", "shared", "c2"), unit("cb:b2", "shared", "c2")
    )
    assert_rows(owned(rows, others), HELD, unit("cb:b1", "shared", "c1"), unit("cb:b2", "shared", "c2"))
    assert_rows(owned(rows, None), HELD, *(tuple(row) for row in rows.collect()))
