"""Which ids name nothing: the same in queries, in trees and in what a person types."""

from __future__ import annotations

from pyspark.sql import SparkSession

from metrics.refusals import is_blank
from tests.harness.frames import frame
from tests.model.rows import is_blank as is_blank_by_definition

BEYOND_ALL_SPACES = 0x3100
LONGEST = 1024


def test_an_id_of_white_space_alone_is_blank_whatever_alphabet_the_space_is_of(spark: SparkSession) -> None:
    signs = [chr(number) for number in range(BEYOND_ALL_SPACES)] + ["\ufeff", "\U0001f9d1"]
    ids = ["", " \u3000\t\x1c", "\u00a0u1\u00a0", *signs]
    rows = frame(spark, "id string", *((each,) for each in ids)).select("id", is_blank("id")).collect()
    assert [row.id for row, wanted in zip(rows, ids, strict=True) if row[1] != is_blank_by_definition(wanted)] == []
    assert all(row.id == wanted for row, wanted in zip(rows, ids, strict=True))


def test_an_id_that_is_null_or_longer_than_a_key_may_be_is_blank(spark: SparkSession) -> None:
    rows = frame(spark, "id string", (None,), ("k" * LONGEST,), ("k" * LONGEST + "k",), ("é" * 513,))
    assert [row[0] for row in rows.select(is_blank("id")).collect()] == [True, False, True, True]
