"""How many partitions a run's shuffles have, and whether Spark plans anew between stages: by its cores and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

FEW_ROWS = 100_000
_PARTITIONS_OF_FEW = 2
_PARTITIONS_PER_CORE = 4
_PARTITIONS = "spark.sql.shuffle.partitions"
_ADAPTIVE = "spark.sql.adaptive.enabled"


@dataclass(frozen=True)
class Size:
    """Partitions of every shuffle, None for Spark's own; `adaptive` has Spark join small ones and plan on the way."""

    partitions: int | None
    adaptive: bool


def size_for(rows: int | None, cores: int | None) -> Size:
    """For so many rows on so many cores; None is not known.

    What few rows cost is the start of tasks and the planning between stages, not what the tasks do.

    >>> size_for(5000, cores=16), size_for(5000, cores=1)
    (Size(partitions=2, adaptive=False), Size(partitions=1, adaptive=False))
    >>> size_for(None, cores=16), size_for(None, cores=None)
    (Size(partitions=64, adaptive=True), Size(partitions=None, adaptive=True))
    """
    if rows is not None and rows <= FEW_ROWS:
        return Size(min(cores or _PARTITIONS_OF_FEW, _PARTITIONS_OF_FEW), adaptive=False)
    return Size(cores and _PARTITIONS_PER_CORE * cores, adaptive=True)


def set_size(session: SparkSession, rows: int | None) -> None:
    """Have the session's further queries fit so many rows, None for any number; what a user has set stays as it is.

    Of a cluster the cores are known once its executors have come: to be called again when they have worked.
    """
    size = size_for(rows, _tasks_at_once(session) or None)
    configured = session.sparkContext.getConf()
    for key, value in ((_PARTITIONS, size.partitions), (_ADAPTIVE, str(size.adaptive).lower())):
        if configured.contains(key):
            continue
        if value is None:
            session.conf.unset(key)
        else:
            session.conf.set(key, str(value))


def cores(session: SparkSession) -> int:
    """How many tasks run at the same time, as things are; `defaultParallelism` is whatever a setting says.

    At least 1, also while no executor has come yet.
    """
    return max(1, _tasks_at_once(session))


def _tasks_at_once(session: SparkSession) -> int:
    context: Any = session.sparkContext._jsc.sc()
    return int(context.maxNumConcurrentTasks(context.resourceProfileManager().defaultResourceProfile()))
