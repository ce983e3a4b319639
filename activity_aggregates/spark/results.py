"""Results that are used more than once, kept as Parquet below the run directory.

Reading them again asks nothing of the plan that made them, and of no executor: whichever is lost, they stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Results:
    """A folder of one run for what it computes on the way."""

    folder: str
    _numbers: count[int] = field(default_factory=count)

    def keep(self, rows: DataFrame, name: str) -> DataFrame:
        """Compute the rows now, and what is observed in them; what is returned is read from files."""
        path = f"{self.folder}/{name}-{next(self._numbers)}"
        rows.write.parquet(path)
        return rows.sparkSession.read.schema(rows.schema).parquet(path)
