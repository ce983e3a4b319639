"""Whether somebody watches, and the console that draws for them. Only the functions that draw import rich."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CANNOT_DRAW = ("dumb", "unknown")


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream ends at a terminal that can move its cursor and has the characters to draw with."""
    can_draw = os.environ.get("TERM", _CANNOT_DRAW[0]) not in _CANNOT_DRAW
    return can_draw and stream.isatty() and (stream.encoding or "").lower().startswith("utf")


def console(stream: TextIO) -> Console:
    """A console on a terminal, as wide as it is now; without colours where NO_COLOR is set."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
