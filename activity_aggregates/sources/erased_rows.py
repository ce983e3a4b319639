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


def without_users(rows: DataFrame, users: DataFrame) -> DataFrame:
    """`rows` without those of a few users (user_id); a row without a user_id stays."""
    return rows.join(F.broadcast(users), USER_ID, how="left_anti").select(*rows.columns)


def _of_erased(erased: Erased, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        user_ids = batch.column(USER_ID).to_pylist()
        is_erased = [user_id is not None and erased.has(user_id) for user_id in user_ids]
        yield batch.filter(pa.array(is_erased, pa.bool_()))
