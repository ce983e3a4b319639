"""The key of an enrolment as two 64-bit numbers, so that joins and shuffles carry 16 bytes and not three strings."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

ENROLMENT_KEY = ("key_high", "key_low")
_SECOND_SEED = "second"


def enrolment_key() -> list[Column]:
    """`key_high`, `key_low` of (user_id, course_id, batch_id).

    One 64-bit hash of 10 million keys collides with a chance of 3 in a million, and would give one learner the
    progress of another; two that are seeded differently collide with one of about 1e-25.
    """
    parts = [F.col("user_id"), F.col("course_id"), F.col("batch_id")]
    high, low = ENROLMENT_KEY
    return [F.xxhash64(*parts).alias(high), F.xxhash64(F.lit(_SECOND_SEED), *parts).alias(low)]
