"""What a run looks at: everything, whole contexts, pairs of others."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.compute import listed
from activity_aggregates.compute.choice import Choice
from metrics.catalog import IS_WHOLE
from tests.harness.frames import assert_rows, frame

ROWS = "user_id string, context_id string"
HERE = [("u1", "cb:whole"), ("u2", "cb:whole"), ("u1", "cb:part"), ("u2", "cb:part"), ("u1", "cb:other")]
PAIRS = [("u1", "cb:part"), ("u9", "cb:whole")]


def unasked(_: Choice) -> DataFrame:
    raise AssertionError("nobody asked for enrolments")


def work(whole: set[str] | None, pairs: DataFrame | None = None) -> Choice:
    return Choice(None if whole is None else frozenset(whole), pairs, frozenset(), unasked)


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return frame(spark, ROWS, *HERE)


@pytest.fixture(scope="module")
def pairs(spark: SparkSession) -> DataFrame:
    return frame(spark, ROWS, *PAIRS)


def test_everything_is_every_row(rows: DataFrame) -> None:
    assert work(None).of(rows) is rows
    assert work(None).of_batches(rows) is rows


def test_of_whole_contexts_all_rows_are_looked_at(rows: DataFrame) -> None:
    assert_rows(work({"cb:whole"}).of(rows), ROWS, *HERE[:2])


def test_of_pairs_their_rows_and_of_whole_contexts_everybodys(rows: DataFrame, pairs: DataFrame) -> None:
    assert_rows(work(set(), pairs).of(rows), ROWS, ("u1", "cb:part"))
    assert_rows(work({"cb:whole"}, pairs).of(rows), ROWS, *HERE[:3])


def test_rows_of_batches_are_those_of_their_contexts_and_keep_their_columns(
    spark: SparkSession, pairs: DataFrame
) -> None:
    enrolments = frame(
        spark, "user_id string, batch_id string, status int", ("u1", "part", 1), ("u2", "part", 2), ("u1", None, 0)
    )
    found = work(set(), pairs).of_batches(enrolments)
    assert found.columns == ["user_id", "batch_id", "status"]
    assert_rows(found, "user_id string, batch_id string, status int", ("u1", "part", 1))


def test_a_row_is_of_a_whole_context_or_not(rows: DataFrame, pairs: DataFrame) -> None:
    def whole(choice: Choice) -> set[str]:
        return {row.context_id for row in choice.with_whole(rows).filter(IS_WHOLE).collect()}

    assert whole(work(None)) == {"cb:whole", "cb:part", "cb:other"}
    assert whole(work({"cb:whole"}, pairs)) == {"cb:whole"}
    assert whole(work(set(), pairs)) == set()


def test_many_whole_contexts_are_joined_in_place_of_named(
    rows: DataFrame, pairs: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "FEW", 0)
    choice = work({"cb:whole", "cb:not there"}, pairs)
    flags = choice.with_whole(rows)
    assert {row.context_id for row in flags.filter(IS_WHOLE).collect()} == {"cb:whole"}
    assert "cb:whole" not in flags._jdf.queryExecution().logical().toString()
    assert_rows(choice.of(rows), ROWS, *HERE[:3])
    assert_rows(work({"cb:whole"}).of(rows), ROWS, *HERE[:2])


def test_further_contexts_become_whole_and_everything_stays_everything(pairs: DataFrame) -> None:
    assert work({"cb:a"}, pairs).and_whole(frozenset({"cb:b"})).whole == frozenset({"cb:a", "cb:b"})
    assert work(None).and_whole(frozenset({"cb:b"})).is_everything


def test_without_contexts_and_pairs_only_groups_are_left(pairs: DataFrame) -> None:
    assert work(set()).is_nothing
    assert not work(set(), pairs).is_nothing
    assert not work({"cb:a"}).is_nothing
    assert not work(None).is_nothing
