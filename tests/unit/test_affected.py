"""Which contexts a backfill finds in the enrolments."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from activity_aggregates.sources.tables import ENROLMENT_DATES
from metrics.affected import affected_contexts, happened

FIRST, SECOND, THIRD = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
ROWS = [
    ("u1", "c1", "completed", SECOND, None, None),
    ("u1", "c1", "enrolled", None, SECOND, None),
    ("u2", "c2", "accessed", None, FIRST, SECOND),
    ("u2", "c2", "before", FIRST, FIRST, FIRST),
    ("u3", "c2", "after", None, None, THIRD),
    ("u3", "c1", "undated", None, None, None),
    ("u3", "c1", "", SECOND, None, None),
    (None, "c1", "nobody", SECOND, None, None),
]


def found(
    spark: SparkSession, courses: list[str] | None = None, users: tuple[str, ...] = (), time: Column | None = None
) -> set[str]:
    rows = spark.createDataFrame(ROWS, ENROLMENT_DATES.schema)
    is_in_time = F.lit(True) if time is None else time
    contexts = [row[0] for row in affected_contexts(rows, courses, users, is_in_time).collect()]
    assert len(contexts) == len(set(contexts))
    return {context.removeprefix("cb:") for context in contexts}


def test_any_of_the_three_instants_may_lie_in_the_window_which_is_without_its_end(spark: SparkSession) -> None:
    assert found(spark, time=happened(F.lit(SECOND), F.lit(THIRD))) == {"completed", "enrolled", "accessed"}


def test_a_window_may_be_open(spark: SparkSession) -> None:
    assert found(spark, time=happened(None, F.lit(SECOND))) == {"accessed", "before"}
    assert found(spark, time=happened(F.lit(THIRD), None)) == {"after"}


def test_courses_and_users_narrow_together(spark: SparkSession) -> None:
    assert found(spark, ["c2"], ("u2",)) == {"accessed", "before"}
    assert found(spark, ["c1"]) == {"completed", "enrolled", "undated"}
    assert found(spark, None, ("u3",)) == {"after", "undated"}
    assert found(spark, []) == set()
