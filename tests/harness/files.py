"""Sources in files, for tests of what is read of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from activity_aggregates import settings
from activity_aggregates.sources.tables import ENROLMENTS, HIERARCHIES, PROGRESS, SOURCE_TABLES, Sources
from activity_aggregates.store.erased import NOBODY, Erased

ENROLMENT_COLUMNS = "userid,courseid,batchid,active,status,completedon,enrolled_date,lastcontentaccesstime"

Opens = Callable[..., Sources]


def opener(spark: SparkSession, folder: Path) -> Opens:
    """Opens the sources that are given; those that must be there and are not given are empty files."""
    empty = folder / "empty.csv"
    empty.write_text(f"{ENROLMENT_COLUMNS},contentid,identifier,hierarchy\n")

    def opened(erased: Erased = NOBODY, **given: settings.Source) -> Sources:
        required = {table.name: source(empty) for table in (ENROLMENTS, PROGRESS, HIERARCHIES)}
        optional = dict.fromkeys(["users", *(table.name for table in SOURCE_TABLES)])
        configured: dict[str, Any] = optional | required | given
        return Sources(spark, settings.Sources(**configured), {}, erased)

    return opened


def source(
    path: Path, kind: Any = "csv", columns: dict[str, str | None] | None = None, **options: str
) -> settings.Source:
    return settings.Source(format=kind, path=str(path), columns=columns or {}, options=options)
