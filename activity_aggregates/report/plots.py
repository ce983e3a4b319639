"""The geometry of the plots; the page draws it as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10

from activity_aggregates.report.contents import COMPLETED, ENROLLED, duration
from activity_aggregates.store.ledger import RunRecord

WIDTH, HEIGHT = 480, 240  # units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 96, 16, 12, 28  # margins, for the labels of the axes: a hundred million on the left
_TICKS = 4


@dataclass(frozen=True)
class Span:
    """A phase on the time line of a run, `start` and `width` in percent of it."""

    name: str
    seconds: float
    start: float
    width: float


@dataclass(frozen=True)
class Point:
    """A value at its place in the drawing."""

    x: float
    y: float
    at: datetime
    value: int


@dataclass(frozen=True)
class Tick:
    """A label of the vertical axis at its place."""

    y: float
    value: int


@dataclass(frozen=True)
class Lines:
    """Enrolled and completed over time, on one axis from 0."""

    enrolled: tuple[Point, ...]
    completed: tuple[Point, ...]
    ticks: tuple[Tick, ...]


def time_line(run: RunRecord) -> list[Span]:
    """The phases one after the other, as a run goes through them; the last span is what lay between them.

    >>> from types import SimpleNamespace as Run
    >>> time_line(Run(phases={"start Spark": 2.0, "read": 6.0}, finished_at=None))
    [Span(name='start Spark', seconds=2.0, start=0.0, width=25.0),
     Span(name='read', seconds=6.0, start=25.0, width=75.0)]
    """
    phases = dict(run.phases)
    took, timed = duration(run), sum(phases.values())
    if took is not None and took - timed >= 0.1:
        phases["between these"] = took - timed
    whole = sum(phases.values()) or 1.0
    spans, start = [], 0.0
    for name, seconds in phases.items():
        spans.append(Span(name, seconds, round(start * 100 / whole, 2), round(seconds * 100 / whole, 2)))
        start += seconds
    return spans


def totals_over_time(full_runs: Iterable[RunRecord]) -> Lines | None:
    """The totals of full runs that succeeded; None where none has recorded them."""
    runs = [run for run in full_runs if ENROLLED in run.counts]
    if not runs:
        return None
    runs.sort(key=lambda run: run.as_of)
    greatest = max(run.counts[name] for run in runs for name in (ENROLLED, COMPLETED))
    between = step(greatest)
    top = max(1, -(-greatest // between)) * between
    first, seconds = runs[0].as_of, (runs[-1].as_of - runs[0].as_of).total_seconds()

    def y(value: int) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)

    def x(at: datetime) -> float:
        share = (at - first).total_seconds() / seconds if seconds else 0.5
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)

    def points(name: str) -> tuple[Point, ...]:
        return tuple(Point(x(run.as_of), y(run.counts[name]), run.as_of, run.counts[name]) for run in runs)

    ticks = tuple(Tick(y(value), value) for value in range(0, top + 1, between))
    return Lines(points(ENROLLED), points(COMPLETED), ticks)


def step(greatest: float, ticks: int = _TICKS) -> int:
    """The distance of ticks, 1, 2, 2.5 or 5 times a power of ten, so that a few of them reach the greatest value.

    >>> step(5150), step(0), step(7)
    (2000, 1, 2)
    """
    least = max(1.0, greatest / ticks)
    power = 10 ** floor(log10(least))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10))
    return next(int(step) for step in steps if step >= least and step == int(step))
