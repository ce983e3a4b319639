"""Stored values of any type as JSON has them: what it cannot say is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Any

from cassandra.util import Date, OrderedMap

MOST_EXACT = 2**53  # beyond it a client's number is not the stored one

# What stands for a value that is left out, so that null stays a value of its own.
LEFT_OUT = object()


def as_json(value: Any) -> Any:
    r"""A value that JSON has; LEFT_OUT for bytes and for numbers that are none.

    Whole numbers have no decimal point, and beyond 2⁵³ they are text.

    >>> as_json({"b", "a"}), as_json(2**53), as_json(datetime(2026, 1, 5))
    (['a', 'b'], '9007199254740992', '2026-01-05T00:00:00Z')
    >>> as_json([b"\x00", float("nan"), None, 3.0, 1.5])
    [None, 3, 1.5]
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < MOST_EXACT else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return LEFT_OUT
        return int(value) if value.is_integer() and abs(value) < MOST_EXACT else value
    if isinstance(value, bytes | bytearray | memoryview):
        return LEFT_OUT
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat().replace("+00:00", "Z")
    return _of_parts(value)


def _of_parts(value: Any) -> Any:
    if isinstance(value, Mapping | OrderedMap):
        # To look a key up, an OrderedMap serializes it, which a key that was read as another type may not bear.
        pairs = value._items if isinstance(value, OrderedMap) else value.items()
        entries = {_key(key): as_json(entry) for key, entry in pairs}
        return {key: entry for key, entry in entries.items() if entry is not LEFT_OUT and key is not None}
    if hasattr(value, "_asdict"):  # a type of the user's own
        return _of_parts(value._asdict())
    if isinstance(value, list | tuple):
        return [entry for entry in map(as_json, value) if entry is not LEFT_OUT]
    if isinstance(value, Set) or type(value).__name__ == "SortedSet":
        return sorted(_of_parts(list(value)), key=str)
    if isinstance(value, Date):
        return _day(value)
    return str(value)  # a uuid, an address, a decimal, a time of day, a duration


def _key(key: Any) -> str | None:
    shown = as_json(key)
    return None if shown is LEFT_OUT or shown is None else shown if isinstance(shown, str) else str(shown)


def _day(day: Date) -> str:
    """A day as it is written; one that no calendar has, as the store counts it."""
    try:
        return str(day.date())
    except ValueError:
        return str(day)


def composed(values: tuple[Any, ...]) -> Any:
    """What several columns show together: texts joined by a blank; one column as it is.

    >>> composed(("Asha", None)), composed((["en", "hi"],)), composed((None, " "))
    ('Asha', ['en', 'hi'], None)
    """
    if len(values) == 1:
        return as_json(values[0])
    shown = [as_json(value) for value in values]
    texts = [str(part).strip() for part in shown if part is not LEFT_OUT and part is not None]
    return " ".join(filter(None, texts)) or None
