"""JSON as the platform's own readers take it: a backslash before any character stands for that character.

JSON knows nine such escapes; every other one is an error in it, and some editors write them all the same.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KNOWN = frozenset('"\\/bfnrtu')


def parsed(text: str) -> Any:
    r"""What a JSON text says; ValueError where it is not JSON even so.

    >>> parsed(r'{"name": "Teacher\'s day", "unit": "5 \u00b5\g", "path": "C:\\temp"}')
    {'name': "Teacher's day", 'unit': '5 µg', 'path': 'C:\\temp'}
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Invalid \\escape"):
            raise
    return json.loads(_STRING.sub(_with_known_escapes, text))


def _with_known_escapes(string: re.Match[str]) -> str:
    return _ESCAPE.sub(_known_escape, string[0])


def _known_escape(escape: re.Match[str]) -> str:
    character = escape[1]
    return escape[0] if character in _KNOWN else json.dumps(character)[1:-1]
