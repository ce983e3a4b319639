"""The geometry of the bar charts; the page draws them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from activity_aggregates.report.plots import Tick, step

WIDTH, HEIGHT = 480, 150  # units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 84, 8, 10, 26  # margins, for the labels of the axes
_GAP = 0.25  # of the place of a bar
_WIDEST = 24  # where there are few
_LEAST = 1.5  # the height of a bar that is there and is small


@dataclass(frozen=True)
class Value:
    """What one bar is about: its label, how much, and whether something went wrong."""

    label: str
    amount: float
    is_bad: bool = False


@dataclass(frozen=True)
class Bar:
    """A value at its place in the drawing."""

    x: float
    y: float
    width: float
    height: float
    value: Value


@dataclass(frozen=True)
class Chart:
    """Bars on one axis from 0, with the labels of its ticks."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


def chart(values: Sequence[Value]) -> Chart:
    """A bar for each value, from left to right.

    >>> found = chart([Value("Monday", 2), Value("Tuesday", 0)])
    >>> [(bar.x, bar.y, bar.height) for bar in found.bars], [tick.value for tick in found.ticks]
    ([(169.0, 10.0, 114.0), (363.0, 124.0, 0.0)], [0, 1, 2])
    """
    greatest = max((value.amount for value in values), default=0.0)
    between = step(greatest, 2)
    top = max(1, -(-int(-(-greatest // 1)) // between)) * between
    tall = HEIGHT - TOP - BOTTOM
    place = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    width = min(_WIDEST, place * (1 - _GAP))

    def bar(number: int, value: Value) -> Bar:
        height = max(_LEAST, tall * value.amount / top) if value.amount else 0.0
        x = LEFT + place * (number + 0.5) - width / 2
        return Bar(round(x, 1), round(HEIGHT - BOTTOM - height, 1), round(width, 1), round(height, 1), value)

    ticks = (Tick(round(HEIGHT - BOTTOM - tall * at / top, 1), at) for at in range(0, top + 1, between))
    return Chart(tuple(bar(number, value) for number, value in enumerate(values)), tuple(ticks))
