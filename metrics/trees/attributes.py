"""What a node of a tree says of itself, as texts to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from metrics.names import COUNTED_ATTRIBUTES

LONGEST = 1000  # characters of one text


def texts(node: Mapping[str, Any], entries: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a node under the names of `entries`; blank texts, lists and objects are left out.

    >>> texts({"name": "Algebra", "depth": 2, "tags": ["x"]}, {"title": "name", "depth": "depth", "tags": "tags"})
    {'title': 'Algebra', 'depth': '2'}
    """
    found = {entry: _text(node.get(name)) for entry, name in entries.items() if name not in COUNTED_ATTRIBUTES}
    return {entry: text for entry, text in found.items() if text.strip()}


def _text(value: Any) -> str:
    """A text, or a number or truth value as JSON has it."""
    if isinstance(value, (bool, int, float)):
        value = json.dumps(value)
    if not isinstance(value, str):
        return ""
    return value[:LONGEST].encode(errors="replace").decode()  # half a surrogate pair is valid JSON and no text
