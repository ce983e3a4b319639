"""Maps of metrics as the store sends them, read without an object of the driver's for each of their entries.

A map is the number of its entries, and of each the length of its key, the key, the length of its value, the value; all
numbers are big-endian. Members of one activity mostly have the same metrics, and every value takes eight bytes: what
stands between the values is the same in all of their maps. It is learned from the first and compared in the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Generic, Literal, TypeVar

LENGTH = 4  # bytes of every length and count
WIDTH = 8  # bytes of a double and of a timestamp
MOST_KEPT = 1000  # layouts, one for each length of a map

Number = TypeVar("Number", float, int)


@dataclass(frozen=True)
class Layout:
    """What maps of the same keys have in common: the keys with a value, and all bytes around the values."""

    keys: tuple[str, ...]
    around: tuple[bytes, ...]
    struct: Struct


class Reader(Generic[Number]):
    """Reads maps of text to numbers: `d` are doubles, `q` timestamps in milliseconds since the epoch."""

    def __init__(self, code: Literal["d", "q"]) -> None:
        self._code = code
        self._layouts: dict[int, Layout] = {}

    def entries(self, raw: bytes) -> Iterable[tuple[str, Number]]:
        """The entries of a map in its own order; one whose value is empty is left out.

        >>> dict(Reader("q").entries(bytes([0, 0, 0, 1, 0, 0, 0, 1, 97, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7])))
        {'a': 7}
        """
        layout = self._layouts.get(len(raw))
        parts = layout.struct.unpack(raw) if layout else ()
        if layout is None or parts[::2] != layout.around:
            layout = self._learned(raw)
            parts = layout.struct.unpack(raw)
        return zip(layout.keys, parts[1::2], strict=True)

    def _learned(self, raw: bytes) -> Layout:
        if len(self._layouts) >= MOST_KEPT:
            self._layouts.clear()
        layout = self._layouts[len(raw)] = layout_of(raw, self._code)
        return layout


def layout_of(raw: bytes, code: str) -> Layout:
    """The layout of one map, entry by entry."""
    keys: list[str] = []
    around: list[bytes] = []
    form, begin, at = ">", 0, LENGTH
    for _ in range(_length(raw, 0)):
        value = at + LENGTH + _length(raw, at) + LENGTH
        width = _length(raw, value - LENGTH)
        if width == WIDTH:
            keys.append(raw[at + LENGTH : value - LENGTH].decode())
            around.append(raw[begin:value])
            form += f"{value - begin}s{code}"
            begin = value + width
        at = value + max(width, 0)  # an absent value has the length -1
    return Layout(tuple(keys), (*around, raw[begin:]), Struct(f"{form}{len(raw) - begin}s"))


def _length(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + LENGTH], "big", signed=True)
