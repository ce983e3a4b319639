"""What a dry run shows: by table, metric and course what would change, and the rows in which most would."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.changes.findings import examples, findings, furthest_first, plain, write_lines
from activity_aggregates.changes.sums import Activity, by_course, by_metric, new_names
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.report.changes import Changes, TableChanges, lines
from activity_aggregates.report.names import names_of
from activity_aggregates.run.applying import changes_of
from activity_aggregates.store.targets import TARGET_TABLES
from activity_aggregates.terminal.console import console, is_terminal
from metrics.names import COURSE

_EXAMPLES = 5  # rows of a table
_COURSES = 20


def show_changes(execution: Execution, spark: SparkSession, out: Path | None) -> None:
    """Print what is staged, and write every row of it to `out`, where that is given, as a line of JSON."""
    rows = changes_of(execution, spark)
    found = None if rows is None else findings(rows, execution.selection)
    changes = _changes(execution, found)
    if is_terminal(sys.stdout):
        from activity_aggregates.terminal.changes import draw

        draw(console(sys.stdout), changes)
    else:
        print("\n".join(lines(changes)))
    if out is not None:
        write_lines(out, furthest_first(found))
        print(f"every row that would change is in {out}")


def _changes(execution: Execution, found: DataFrame | None) -> Changes:
    rows = examples(found, _EXAMPLES, by=("table",)) if found is not None else {}
    tables = []
    for table in TARGET_TABLES:
        of_table = tuple(plain(row) for row in rows.get((table.name,), ()))
        changed, retracted = (execution.counts.get(f"{kind}.{table.name}", 0) for kind in ("changed", "retracted"))
        tables.append(TableChanges(table, changed, retracted, of_table))
    courses, number = by_course(found, _COURSES) if found is not None else ([], 0)
    named = {(COURSE, course.course_id) for course in courses} | {
        each.activity(row) for each in tables for row in each.examples
    }
    return Changes(
        tuple(tables), tuple(by_metric(found)) if found is not None else (), tuple(courses), number,
        _names(execution, found, named),
    )  # fmt: skip


def _names(execution: Execution, found: DataFrame | None, activities: set[Activity]) -> dict[Activity, str]:
    """What the activities will be called, or are called already; an id where there is no name."""
    known = new_names(found, activities) if found is not None and activities else {}
    return known | names_of(execution.session, execution.settings.target, activities - known.keys())
