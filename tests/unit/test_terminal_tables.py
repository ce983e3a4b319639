"""Runs and changes as a person sees them, on a wide terminal and a narrow one."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from activity_aggregates.changes.sums import CourseChange, MetricChange
from activity_aggregates.report.changes import Changes, TableChanges, lines
from activity_aggregates.report.values import described
from activity_aggregates.store.records import FAILED, SUCCEEDED
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_METADATA
from activity_aggregates.terminal.changes import draw
from activity_aggregates.terminal.runs import newest, one
from activity_aggregates.terminal.tables import Column, fitted
from tests.harness.records import left_by_a_killed_run

STARTED = left_by_a_killed_run()
RUN = replace(
    STARTED,
    status=SUCCEEDED,
    finished_at=STARTED.started_at + timedelta(seconds=10),
    phases={"start Spark": 4.0, "read progress": 5.0},
    counts={
        "changed.activity_agg": 12, "written.activity_agg": 12, "written": 12, "refused.missing_key": 3,
        "read.progress": 26_685, "undated": 0,
    },
)  # fmt: skip
ROW = {
    "key": {"activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1"},
    "metrics": {
        "averageProgress": {"before": 10.0, "after": 10.5}, "completedCount": {"before": None, "after": 2.0},
        "completedOn": {"before": None, "after": 1.7e12}, "enrolledCount": {"before": 9.0, "after": 4.0},
        "reached25Count": {"before": 1.0, "after": 0.0},
    },
}  # fmt: skip
CHANGES = Changes(
    (TableChanges(ACTIVITY_AGG, 3, 1, (ROW,)), TableChanges(ACTIVITY_METADATA, 0, 0, ())),
    (
        MetricChange("activity_agg", "enrolledCount", 3, 12_000.0, 11_995.0),
        MetricChange("activity_agg", "completionPercentage", 2, None, None),
    ),
    (CourseChange("c1", 3, (MetricChange("activity_agg", "enrolledCount", 1, 9.0, 4.0),)),),
    2,
    {("Course", "c1"): "Foundations of literacy"},
)
SPANS = ("start Spark", "read progress", "between these")
HEADER = ("run", "status", "as_of", "written")


class Screen:
    """A console of a width, and what was printed to it."""

    def __init__(self, width: int) -> None:
        self._out = io.StringIO()
        self.console = Console(file=self._out, width=width)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._out.getvalue().splitlines()]


def test_a_run_shows_its_phases_on_a_time_line() -> None:
    screen = Screen(80)
    one(screen.console, RUN)
    start, read, rest = (next(line for line in screen.lines if line.startswith(name)) for name in SPANS)
    assert screen.lines[1] == "It wrote 12 rows in 10 s."
    assert start.index("█") < read.index("█") < rest.index("█")
    assert read.count("█") > start.count("█") > rest.count("█")


def test_a_run_shows_its_counts_where_they_belong_and_those_of_0_not_at_all() -> None:
    screen = Screen(80)
    one(screen.console, RUN)
    cells = [line.split() for line in screen.lines]
    assert ["activity_agg", "12", "12"] in cells
    assert ["enrolments", "missing_key", "3"] in cells
    assert ["read.progress", "26,685"] in cells
    assert not [line for line in screen.lines if "undated" in line]


def test_a_run_that_failed_says_so_in_a_sentence() -> None:
    screen = Screen(100)
    one(screen.console, replace(RUN, status=FAILED, message="the target could not be reached"))
    assert screen.lines[1] == 'It failed while it was at "read progress": the target could not be reached'


@pytest.mark.parametrize(("width", "header"), [(90, "run status as_of written"), (50, "run status written")])
def test_a_narrow_terminal_shows_fewer_columns_of_runs(width: int, header: str) -> None:
    screen = Screen(width)
    newest(screen.console, HEADER, [("20260131T060000Z-3f9a2c", "succeeded", "2026-01-31T06:00:00Z", "12000")])
    assert screen.lines[0].split() == header.split()
    assert screen.lines[2].split()[-1] == "12,000"


def test_what_would_change_is_shown_by_table_metric_and_course_with_its_name() -> None:
    screen = Screen(100)
    draw(screen.console, CHANGES)
    cells = [line.split() for line in screen.lines]
    assert ["activity_agg", "enrolledCount", "3", "12,000", "11,995", "-5"] in cells
    assert ["completionPercentage", "2"] in cells
    assert "Foundations of literacy      3   c1   enrolledCount -5" in [line.strip() for line in screen.lines]
    assert "  Course Foundations of literacy  cb:b1" in screen.lines
    entries = " ".join(" ".join(line.split()) for line in screen.lines[-2:])
    assert entries.startswith("enrolledCount 9 -> 4, completedCount - -> 2, completedOn - -> 1700000000000, reached25")
    assert entries.endswith("… 1 more")


def test_a_pipe_gets_the_same_as_lines() -> None:
    assert list(lines(CHANGES)) == [
        "dry run: nothing was written",
        "activity_agg: 3 rows would change, 1 of them retracted",
        f"  {described(ROW)}",
        "  … and 2 more",
        "activity_metadata: 0 rows would change, 0 of them retracted",
        "activity_agg enrolledCount: 3 rows would change, 12000 -> 11995 in all, -5",
        "activity_agg completionPercentage: 2 rows would change",
        'course c1 "Foundations of literacy": 3 rows would change, enrolledCount -5',
        "… and 1 more courses",
    ]


def test_a_table_leaves_out_what_has_no_place() -> None:
    columns = [Column("run"), Column("scope", 2), Column("rows", 1, "right")]
    rows = [("20260131T060000Z-3f9a2c", "2 contexts", "12")]
    wide, narrow = Screen(60), Screen(34)
    for screen in (wide, narrow):
        screen.console.print(fitted(columns, rows, screen.console.width))
    assert wide.lines[2].split("   ") == [" 20260131T060000Z-3f9a2c", "2 contexts", "  12"]
    assert narrow.lines[2].split() == ["20260131T060000Z-3f9a2c", "12"]
