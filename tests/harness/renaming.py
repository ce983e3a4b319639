"""Cases under ids of their own, so that many of them can be in one world."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.harness.case import Case
from tests.harness.hierarchy import MIME_TYPES
from tests.harness.store import HIERARCHIES

_IDS = {
    "userid", "user_id", "courseid", "course_id", "batchid", "batch_id", "contentid", "content_id", "groupid",
    "group_id", "id", "identifier", "activity_id", *MIME_TYPES,
}  # fmt: skip
_IN_TEXT = re.compile(r'"identifier"\s*:\s*"([^"]+)"')


def under(prefix: str, case: Case) -> Case:
    """The case with the prefix before all its ids."""
    ids = {name for step in case.steps for name in ids_of(step.content) if name.strip()}
    return replace(case, steps=[replace(step, content=renamed(step.content, ids, prefix)) for step in case.steps])


def ids_of(content: Any) -> Iterator[str]:
    """The ids that tables, rows and trees name.

    >>> sorted(ids_of({"content_hierarchy": {"c1": {"course": "c1", "children": ["A", {"unit": "n1"}]}}}))
    ['A', 'c1', 'c1', 'n1']
    """
    if isinstance(content, str):
        yield from _IN_TEXT.findall(content)
    elif isinstance(content, list):
        for each in content:
            yield from ids_of(each)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _named_under(key, value)
            yield from ids_of(value)


def _named_under(key: str, value: Any) -> Iterator[str]:
    if key in _IDS and isinstance(value, str):
        yield value
    elif key == HIERARCHIES and isinstance(value, Mapping):
        yield from value
    elif key == "children" and isinstance(value, list):
        yield from (child for child in value if isinstance(child, str))


def renamed(content: Any, ids: set[str], prefix: str) -> Any:
    """With the prefix before every id, wherever it stands as a word.

    >>> renamed({"context_id": "cb:b1", "agg": {"score:Q": 1}}, {"b1", "Q"}, "p1-")
    {'context_id': 'cb:p1-b1', 'agg': {'score:p1-Q': 1}}
    """
    words = re.compile(r"(?<![\w-])(" + "|".join(sorted(map(re.escape, ids), key=len, reverse=True)) + r")(?![\w-])")

    def of(value: Any) -> Any:
        if isinstance(value, str):
            return words.sub(lambda found: prefix + found[0], value)
        if isinstance(value, Mapping):
            return {of(key): of(entry) for key, entry in value.items()}
        return [of(each) for each in value] if isinstance(value, list) else value

    return of(content)
