"""Tables as wide as a terminal: what has no place is left out, the least important column first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_GAP = 3  # characters between two columns: two of padding, and one where a line would be
_FEW_WORDS = 24  # characters
_STATUS_STYLES = {
    "succeeded": "green", "dry_run": "cyan", "superseded": "yellow", "running": "blue", "applying": "blue",
    "stopped": "yellow", "failed": "red", "interrupted": "yellow", "lost": "red",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column; of those that do not fit the one of the highest `rank` goes first, and never one of rank 0.

    One that `wraps` fits as long as a few words do.
    """

    header: str
    rank: int = 0
    align: Literal["left", "right"] = "left"
    wraps: bool = False


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], width: int) -> Table:
    """The table with the columns that a terminal of that width has place for; longer texts are cut off."""
    lines = list(rows)
    widths = [
        max(cell_len(str(cell)) for cell in (column.header, *(line[at] for line in lines)))
        for at, column in enumerate(columns)
    ]
    widths = [min(of, _FEW_WORDS) if column.wraps else of for of, column in zip(widths, columns, strict=True)]
    shown = list(range(len(columns)))
    while sum(widths[at] + _GAP for at in shown) > width and any(columns[at].rank for at in shown):
        shown.remove(max(shown, key=lambda at: columns[at].rank))
    table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1), show_edge=False)
    for at in shown:
        column = columns[at]
        table.add_column(column.header, justify=column.align, no_wrap=not column.wraps, overflow="ellipsis")
    for line in lines:
        table.add_row(*(line[at] for at in shown))
    return table


def grouped(value: float) -> str:
    """A number with its thousands apart.

    >>> grouped(13604570.0), grouped(-15552.5)
    ('13,604,570', '-15,552.5')
    """
    return f"{value:,.0f}" if value.is_integer() else f"{value:,}"


def status(name: str) -> Text:
    """The status of a run in its colour."""
    return Text(name, _STATUS_STYLES.get(name, ""))
