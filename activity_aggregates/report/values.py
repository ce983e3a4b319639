"""Values of entries as they are printed: exactly, so that two that differ never look the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Row

_WHOLE_BELOW = 1e16  # above it, doubles are further apart than 1, and digits would pretend otherwise


def shown(value: float | str | None) -> str:
    """A value of an entry, a text in quotes; `-` is an entry that is not there.

    >>> shown(1234567.0), shown(1234568.5), shown(18.4), shown("Maths"), shown(None)
    ('1234567', '1234568.5', '18.4', '"Maths"', '-')
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "-"
    is_whole = float(value).is_integer() and abs(value) < _WHOLE_BELOW
    return f"{value:.0f}" if is_whole else repr(value)


def describe(row: Row, key: Sequence[str]) -> str:
    """One changed row: its key, then each entry with the value it has and the one it would get."""
    was: dict[str, float | str] = row["was"]
    changes = [f"{name} {shown(was.get(name))} -> {shown(value)}" for name, value in sorted(row["to_set"].items())]
    changes += [f"{name} {shown(was.get(name))} -> -" for name in sorted(row["to_remove"])]
    return f"{' '.join(str(row[column]) for column in key)}: {', '.join(changes)}"
