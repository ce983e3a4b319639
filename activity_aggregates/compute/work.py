"""What a run looks at, as one value: whole contexts, further pairs of learner and context, groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.predicates import context_id

PAIR = ("user_id", "context_id")
_IS_PAIR = "is_pair"


@dataclass(frozen=True)
class Work:
    """Everything where `whole` is None; otherwise these contexts with all of their pairs, and `pairs` of others.

    `pairs` are (user_id, context_id), each once; None where there are none. `groups` are those to be looked at besides
    the groups of these pairs; None for all. `enrolments` reads the rows of the sources that such a choice needs.
    """

    whole: frozenset[str] | None
    pairs: DataFrame | None
    groups: frozenset[str] | None
    enrolments: Callable[[Work], DataFrame]

    @property
    def is_everything(self) -> bool:
        return self.whole is None

    @property
    def is_nothing(self) -> bool:
        """Whether no context and no pair is looked at, so that only groups are left."""
        return self.whole is not None and not self.whole and self.pairs is None

    def is_whole(self) -> Column:
        """Whether all learners of a row's context are looked at."""
        return F.lit(True) if self.whole is None else F.col("context_id").isin(sorted(self.whole))

    def of(self, rows: DataFrame) -> DataFrame:
        """The rows (with user_id, context_id) of the pairs that are looked at."""
        if self.whole is None:
            return rows
        if self.pairs is None:
            return rows.filter(self.is_whole())
        flagged = rows.join(self.pairs.withColumn(_IS_PAIR, F.lit(True)), list(PAIR), how="left")
        return flagged.filter(F.coalesce(_IS_PAIR, F.lit(False)) | self.is_whole()).drop(_IS_PAIR)

    def of_batches(self, rows: DataFrame) -> DataFrame:
        """The rows (with user_id, batch_id) of the pairs that are looked at."""
        return rows if self.whole is None else self.of(rows.withColumn("context_id", context_id())).drop("context_id")

    def with_whole(self, contexts: frozenset[str]) -> Work:
        """The same and further contexts, whole."""
        return self if self.whole is None else replace(self, whole=self.whole | contexts)
