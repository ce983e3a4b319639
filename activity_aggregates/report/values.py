"""Values of entries as they are printed: exactly, so that two that differ never look the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

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


def floored(value: float, digits: int) -> float:
    """A percentage to so many digits: what is not all is never shown as 100.

    >>> floored(99.99, 1), floored(66.66, 2), floored(100.0, 0)
    (99.9, 66.66, 100.0)
    """
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN))


def described(change: Mapping[str, Any]) -> str:
    """One changed row (see `findings.plain`): its key, then each entry with what it has and what it would get."""
    entries = (f"{name} {shown(both['before'])} -> {shown(both['after'])}" for name, both in change["metrics"].items())
    return f"{' '.join(change['key'].values())}: {', '.join(entries)}"
