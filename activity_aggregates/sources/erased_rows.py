"""The rows of erased learners in a DataFrame, and the DataFrame without them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.store.erased import Erased

USER_ID = "user_id"


def erased_rows(rows: DataFrame, erased: Erased) -> DataFrame:
    """Those of `rows` whose user_id is erased. It hashes in Python: Spark would show the secret in its plans."""
    return rows.mapInArrow(partial(_of_erased, erased), rows.schema)


def without_erased(rows: DataFrame, erased: Erased) -> DataFrame:
    """`rows` without those whose user_id is erased, in one pass over them; where nobody was erased they stay as is."""
    return rows.mapInArrow(partial(_of_others, erased), rows.schema) if erased.hashes else rows


def without_users(rows: DataFrame, users: DataFrame) -> DataFrame:
    """`rows` without those of a few users (user_id); a row without a user_id stays."""
    return rows.join(F.broadcast(users), USER_ID, how="left_anti").select(*rows.columns)


def _of_erased(erased: Erased, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pa.array(_are_erased(erased, batch), pa.bool_()))


def _of_others(erased: Erased, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pa.array([not is_erased for is_erased in _are_erased(erased, batch)], pa.bool_()))


def _are_erased(erased: Erased, batch: pa.RecordBatch) -> list[bool]:
    return [user_id is not None and erased.has(user_id) for user_id in batch.column(USER_ID).to_pylist()]
