"""The page of a run: one HTML file without scripts, which needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from activity_aggregates.changes.staged import DATE_METRICS
from activity_aggregates.report import bars, plots
from activity_aggregates.report.bars import Chart, Value, chart
from activity_aggregates.report.contents import (
    COMPLETED,
    ENROLLED,
    Report,
    by_command,
    duration,
    refusals,
    rows_by_table,
)
from activity_aggregates.report.days import Day
from activity_aggregates.report.names import Activity, quiz_of
from activity_aggregates.report.outcome import details, has_compared, outcome
from activity_aggregates.report.standing import BANDS, STEPS
from activity_aggregates.report.values import floored
from activity_aggregates.store.ledger import FAILED, INTERRUPTED, LOST, STOPPED, RunRecord
from activity_aggregates.store.records import counted

REASONS = {
    "missing_key": "a key is null or blank",
    "invalid_status": "the status is not 0, 1, 2 or null",
    "invalid_date": "a date cannot be read or held",
    "missing_hierarchy": "the course has no hierarchy",
    "invalid_hierarchy": "the hierarchy of the course cannot be read",
    "empty_hierarchy": "the course has no content",
    "invalid_score": "a score is null, not finite or negative",
    "invalid_seconds": "the seconds are null, not finite, negative or too many",
}
_MISSING = "-"
MOST_METRICS = 5  # that are shown of a changed row
_MOST_COMMANDS, _MOST_BARS = 4, 40  # of runs over time
_LISTED = 30  # runs in the table
_BAD = (STOPPED, FAILED, INTERRUPTED, LOST)
_END_OF_CALENDAR = 253_402_300_800_000  # epoch milliseconds: the year 10,000


def render(report: Report) -> str:
    """The page as text; everything that comes from the data is escaped."""
    environment = Environment(
        loader=PackageLoader("activity_aggregates", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "floored": floored,
        "instant": instant,
        "seconds": seconds,
        "length_of_tick": length_of_tick,
        "words": words,
        "value_of": value_of,
        "label": label,
    }
    counts = report.run.counts
    return environment.get_template("page.html").render(
        report=report,
        run=report.run,
        outcome=outcome(report.run),
        details=details(report.run),
        has_compared=has_compared(report.run),
        tables=rows_by_table(counts),
        refusals=refusals(counts),
        counted=counted(counts, "counted"),
        read=counted(counts, "read"),
        reasons=REASONS,
        spans=plots.time_line(report.run),
        lines=plots.totals_over_time(report.full_runs),
        plots=plots,
        bars=bars,
        steps=list(STEPS),
        bands=BANDS,
        days=_days(report.days) if report.days else {},
        commands={
            command: _runs(runs) for command, runs in by_command(report.history, _MOST_COMMANDS, _MOST_BARS).items()
        },
        is_any_bad=any(run.status in _BAD for run in report.history),
        listed=report.history[:_LISTED],
        most_metrics=MOST_METRICS,
        duration=duration,
        enrolled=ENROLLED,
        completed=COMPLETED,
    )


def _days(days: Sequence[Day]) -> dict[str, Chart]:
    """A chart for each thing that happens on days."""
    return {
        "Enrolled": chart([Value(day.day.isoformat(), day.enrolled) for day in days]),
        "Completed": chart([Value(day.day.isoformat(), day.completed) for day in days]),
        "Last active": chart([Value(day.day.isoformat(), day.last_active) for day in days]),
    }


def _runs(runs: Sequence[RunRecord]) -> dict[str, Chart]:
    """How long runs took, and how many rows they wrote; one under way has neither yet."""

    def values(amounts: Sequence[float | None]) -> list[Value]:
        of_runs = zip(runs, amounts, strict=True)
        return [Value(f"{run.started_at:%Y-%m-%d %H:%M}", amount or 0, run.status in _BAD) for run, amount in of_runs]

    return {
        "Took": chart(values([duration(run) for run in runs])),
        "Rows written": chart(values([run.counts.get("written") for run in runs])),
    }


def number(value: float | None) -> str:
    """With thousands, and at most two decimals.

    >>> number(14591.0), number(31.76), number(None)
    ('14,591', '31.76', '-')
    """
    if value is None:
        return _MISSING
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def value_of(value: float | None, metric: str) -> str:
    """A value of an entry: dates in UTC, to the minute, where a calendar has them.

    >>> value_of(1757059200000.0, "completedOn"), value_of(9e15, "completedOn"), value_of(None, "completedOn")
    ('2025-09-05 08:00', '9,000,000,000,000,000', '-')
    """
    if value is None or metric not in DATE_METRICS or not 0 <= value < _END_OF_CALENDAR:
        return number(value)
    return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M}"


def label(metric: str, names: Mapping[Activity, str]) -> str:
    """The name of an entry, one about a quiz with what the quiz is called.

    >>> label("score:do_1", {("Quiz", "do_1"): "Acids"}), label("score:do_2", {}), label("completed", {})
    ('score of Acids', 'score:do_2', 'completed')
    """
    quiz = quiz_of(metric)
    return f"{metric.partition(':')[0]} of {names[quiz]}" if quiz and quiz in names else metric


def instant(value: datetime | None) -> str:
    """In UTC, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else _MISSING


def seconds(value: float | None) -> str:
    """A length of time.

    >>> seconds(4.41), seconds(204.0), seconds(7325)
    ('4.4 s', '3 min 24 s', '2 h 2 min')
    """
    if value is None:
        return _MISSING
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def length_of_tick(value: int) -> str:
    """A length of time on an axis, short.

    >>> length_of_tick(0), length_of_tick(50), length_of_tick(200), length_of_tick(5000)
    ('0', '50 s', '3:20 min', '1:23 h')
    """
    if value < 60:
        return f"{value} s" if value else "0"
    minutes, rest = divmod(value, 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def words(name: str) -> str:
    """A name of the software as words.

    >>> words("group_activity_agg")
    'group activity agg'
    """
    return name.replace("_", " ").replace(".", ": ")
