"""The page of a run: one HTML file without scripts, which needs no network."""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from activity_aggregates.report import plots
from activity_aggregates.report.contents import COMPLETED, ENROLLED, Report, duration, refusals, rows_by_table
from activity_aggregates.report.outcome import details, has_compared, outcome

REASONS = {
    "missing_key": "a key is null or blank",
    "invalid_status": "the status is not 0, 1, 2 or null",
    "missing_hierarchy": "the course has no hierarchy",
    "invalid_hierarchy": "the hierarchy of the course cannot be read",
    "empty_hierarchy": "the course has no content",
    "invalid_score": "a score is null, not finite or negative",
}
_MISSING = "-"
_MOST_METRICS = 5  # that are shown of a changed row


def render(report: Report) -> str:
    """The page as text; everything that comes from the data is escaped."""
    environment = Environment(
        loader=PackageLoader("activity_aggregates", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "instant": instant, "seconds": seconds, "words": words}
    counts = report.run.counts
    return environment.get_template("page.html").render(
        report=report,
        run=report.run,
        outcome=outcome(report.run),
        details=details(report.run),
        has_compared=has_compared(report.run),
        tables=rows_by_table(counts),
        refusals=refusals(counts),
        counted={name.removeprefix("counted."): rows for name, rows in counts.items() if name.startswith("counted.")},
        read={name.removeprefix("read."): rows for name, rows in counts.items() if name.startswith("read.")},
        reasons=REASONS,
        spans=plots.time_line(report.run),
        lines=plots.totals_over_time(report.history),
        plots=plots,
        most_metrics=_MOST_METRICS,
        duration=duration,
        enrolled=ENROLLED,
        completed=COMPLETED,
    )


def number(value: float | None) -> str:
    """With thousands, and at most two decimals.

    >>> number(14591.0), number(31.76), number(None)
    ('14,591', '31.76', '-')
    """
    if value is None:
        return _MISSING
    return f"{value:,.2f}".rstrip("0").rstrip(".")


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


def words(name: str) -> str:
    """A name of the software as words.

    >>> words("group_activity_agg")
    'group activity agg'
    """
    return name.replace("_", " ").replace(".", ": ")
