"""Course outlines as DataFrames: parsed on executors, then taken apart into leaves, masks and activities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType, _parse_datatype_string

from metrics.refusals import INVALID_HIERARCHY
from metrics.trees.arrow import map_in_arrow
from metrics.trees.hierarchy import WORD_BITS, outline_rows

CHANGED_AT = "changed_at"
OUTLINES = """course_id string, problem string, is_retired boolean, leaves array<string>,
    collections array<struct<activity_type: string, activity_id: string, leaf_nodes_count: bigint>>,
    words array<struct<word: int, collections: array<struct<activity_type: string, activity_id: string,
        leaf_nodes_count: bigint, below: bigint, required: bigint>>>>,
    described array<struct<activity_id: string, metadata: map<string,string>>>"""


def is_draft() -> Column:
    """Whether a hierarchy row is a draft: its identifier ends in `.img`."""
    return F.col("course_id").endswith(".img")


def outlines(hierarchies: DataFrame, entries: Mapping[str, str] | None = None) -> DataFrame:
    """One `OUTLINES` row for each course of (course_id, hierarchy); one that has several is invalid.

    `entries` maps the names of the texts that are kept of every node to its attributes. A `changed_at` of the
    hierarchies stays.
    """
    dated = [CHANGED_AT] if CHANGED_AT in hierarchies.columns else []
    schema = _parse_datatype_string(OUTLINES + "".join(f", {name} timestamp" for name in dated))
    assert isinstance(schema, StructType)
    batches = partial(_outline_batches, to_arrow_schema(schema), entries)
    parsed = map_in_arrow(hierarchies.select("course_id", "hierarchy", *dated), batches, schema)
    return _unambiguous(parsed, schema)


def known(outlines: DataFrame) -> DataFrame:
    """(course_id, problem, is_retired) and, where the outlines have it, changed_at."""
    return outlines.select("course_id", "problem", "is_retired", *({CHANGED_AT} & {*outlines.columns}))


def _unambiguous(parsed: DataFrame, schema: StructType) -> DataFrame:
    """One row per course: a file may have two trees for one, and counting both would count everything twice."""
    is_one = F.count(F.lit(1)) == 1
    nothing = {name: F.array().cast(schema[name].dataType) for name in ("leaves", "collections", "words", "described")}
    otherwise = {"problem": F.lit(INVALID_HIERARCHY), "is_retired": F.lit(False), **nothing}
    single = [F.when(is_one, F.first(name)).otherwise(value).alias(name) for name, value in otherwise.items()]
    latest = [F.max(name).alias(name) for name in schema.names if name == CHANGED_AT]
    return parsed.groupBy("course_id").agg(*single, *latest).select(schema.names)


def _outline_batches(schema: Any, entries: Mapping[str, str] | None, batches: Iterable[Any]) -> Iterable[Any]:
    """Arrow batches of one course each: what a course becomes may be megabytes, as its tree is.

    Dates stay in their column: a write time may be beyond the year 9999, and a date of Python's may not.
    """
    dated = schema.get_field_index(CHANGED_AT)
    undated = schema if dated < 0 else schema.remove(dated)
    for batch in batches:
        pairs = zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        dates = [column.cast(schema.types[dated]) for column in batch.columns[2:]]
        for number, row in enumerate(outline_rows(pairs, entries)):
            columns = type(batch).from_pylist([row], schema=undated).columns
            date = [column.slice(number, 1) for column in dates]
            yield type(batch).from_arrays([*columns, *date], schema=schema)


def settled(outlines: DataFrame) -> DataFrame:
    """The outlines of courses that are neither refused nor retired."""
    return outlines.filter(F.col("problem").isNull() & ~F.col("is_retired"))


def numbered_leaves(outlines: DataFrame) -> DataFrame:
    """(course_id, content_id, word, mask): the one bit of each leaf of a course."""
    position = F.col("position")
    return outlines.select("course_id", F.posexplode("leaves").alias("position", "content_id")).select(
        "course_id",
        "content_id",
        F.floor(position / WORD_BITS).cast("int").alias("word"),
        F.expr(f"shiftleft(1L, position % {WORD_BITS})").alias("mask"),
    )


def collection_masks(outlines: DataFrame) -> DataFrame:
    """(course_id, word, collections): the masks of all collections of a course in one word."""
    return outlines.select("course_id", F.inline("words"))


def course_activities(outlines: DataFrame) -> DataFrame:
    """(course_id, activity_type, activity_id, leafNodesCount): the course itself and its units."""
    return outlines.select("course_id", F.inline("collections")).withColumnRenamed("leaf_nodes_count", "leafNodesCount")


def described_nodes(outlines: DataFrame) -> DataFrame:
    """(course_id, activity_id, metadata map<string,string>): the texts of every node of a course, and its own."""
    return outlines.select("course_id", F.inline("described"))
