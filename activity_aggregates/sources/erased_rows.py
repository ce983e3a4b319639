"""The rows of erased learners in a DataFrame, and the DataFrame without them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.store.erased import Erased
from metrics.trees.arrow import map_in_arrow

USER_ID = "user_id"


def erased_rows(rows: DataFrame, erased: Erased) -> DataFrame:
    """Those of `rows` whose user_id is erased. It hashes in Python: Spark would show the secret in its plans."""
    return map_in_arrow(rows, partial(_filtered, erased, True), rows.schema)


def without_erased(rows: DataFrame, erased: Erased) -> DataFrame:
    """`rows` without those whose user_id is erased, in one pass over them; where nobody was erased they stay as is."""
    return map_in_arrow(rows, partial(_filtered, erased, False), rows.schema) if erased.hashes else rows


def without_users(rows: DataFrame, users: DataFrame) -> DataFrame:
    """`rows` without those of a few users (user_id); a row without a user_id stays."""
    return rows.join(F.broadcast(users), USER_ID, how="left_anti").select(*rows.columns)


def _filtered(erased: Erased, wanted: bool, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of erased learners, or those of others."""
    for batch in batches:
        user_ids = batch.column(USER_ID).to_pylist()
        is_wanted = [(user_id is not None and erased.has(user_id)) == wanted for user_id in user_ids]
        yield batch.filter(pa.array(is_wanted, pa.bool_()))
