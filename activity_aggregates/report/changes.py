"""Changed rows as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def described(change: Mapping[str, Any]) -> str:
    """One changed row (see `findings.plain`): its key, then each entry with what it has and what it would get."""
    entries = (f"{name} {shown(both['before'])} -> {shown(both['after'])}" for name, both in change["metrics"].items())
    return f"{' '.join(change['key'].values())}: {', '.join(entries)}"


def shown(value: float | str | None) -> str:
    """A value of an entry as it is printed, exactly; `-` is an entry that is not there.

    >>> shown(1234567.0), shown(66.66), shown("Algebra"), shown(None)
    ('1234567', '66.66', '"Algebra"', '-')
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "-"
    return str(int(value)) if value.is_integer() else repr(value)
