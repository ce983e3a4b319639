"""What a run looks at, as one value: whole contexts, further pairs of learner and context, groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.compute.listed import among, flagged
from metrics.catalog import IS_WHOLE
from metrics.predicates import context_id

PAIR = ("user_id", "context_id")
_IS_PAIR = "is_pair"


@dataclass(frozen=True)
class Choice:
    """What a run looks at: everything, or some contexts with all of their learners and some pairs of others.

    `whole` are the contexts, None for everything. `pairs` are (user_id, context_id), each once, None where there are
    none. `groups` are computed besides those of these learners, None for all groups. `enrolments` reads the enrolments
    that such a choice needs. Of the contexts that are `doubted` no published count tells how many rows are stored. The
    courses of `redescribed` may be described otherwise by now although their trees are the same.
    """

    whole: frozenset[str] | None
    pairs: DataFrame | None
    groups: frozenset[str] | None
    enrolments: Callable[[Choice], DataFrame]
    doubted: frozenset[str] = frozenset()
    redescribed: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        return self.whole is None

    @property
    def is_nothing(self) -> bool:
        """Whether no context and no pair is looked at, so that only groups are left."""
        return self.whole is not None and not self.whole and self.pairs is None

    def with_whole(self, rows: DataFrame) -> DataFrame:
        """The rows (with context_id) and `IS_WHOLE`: whether all learners of their context are looked at."""
        if self.whole is None:
            return rows.withColumn(IS_WHOLE, F.lit(True))
        return flagged(rows, "context_id", self.whole, IS_WHOLE)

    def of(self, rows: DataFrame) -> DataFrame:
        """The rows (with user_id, context_id) of the pairs that are looked at."""
        if self.whole is None:
            return rows
        if self.pairs is None:
            return among(rows, "context_id", self.whole)
        paired = rows.join(self.pairs.withColumn(_IS_PAIR, F.lit(True)), list(PAIR), how="left")
        is_looked_at = F.coalesce(_IS_PAIR, F.lit(False)) | F.col(IS_WHOLE)
        return self.with_whole(paired).filter(is_looked_at).drop(_IS_PAIR, IS_WHOLE)

    def of_batches(self, rows: DataFrame) -> DataFrame:
        """The rows (with user_id, batch_id) of the pairs that are looked at."""
        return rows if self.whole is None else self.of(rows.withColumn("context_id", context_id())).drop("context_id")

    def and_whole(self, contexts: frozenset[str]) -> Choice:
        """The same and further contexts, whole."""
        return self if self.whole is None else replace(self, whole=self.whole | contexts)

    def and_doubted(self, contexts: frozenset[str]) -> Choice:
        """The same and further contexts, whole and doubted."""
        return replace(self.and_whole(contexts), doubted=self.doubted | contexts)
