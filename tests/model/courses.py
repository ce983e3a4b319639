"""What a course consists of: its units, its leaves, and which of them are required."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model.rows import is_blank, is_unusable

COLLECTION = "application/vnd.ekstep.content-collection"

Reason = str


class Node(NamedTuple):
    identifier: str
    is_leaf: bool
    is_optional: bool


Way = tuple[Node, ...]  # from the root down to one placement of a node, that node last


class InvalidTreeError(ValueError):
    """A node without identifier, or below itself, or one whose children are not a list."""


@dataclass(frozen=True)
class Course:
    ways: list[Way]

    def units(self) -> set[str]:
        return {way[-1].identifier for way in self.ways if len(way) > 1 and not way[-1].is_leaf}

    def leaves(self, unit: str | None = None) -> set[str]:
        """The leaves below a unit, or below the course."""
        return {below[-1].identifier for below in self._below(unit)}

    def required(self, unit: str | None = None) -> set[str]:
        return {below[-1].identifier for below in self._below(unit) if not any(node.is_optional for node in below)}

    def _below(self, unit: str | None) -> Iterator[Way]:
        """The rest of every way to a leaf, from below the collection on."""
        for way in self.ways:
            if way[-1].is_leaf:
                for depth, node in enumerate(way[:-1]):
                    if (depth == 0) if unit is None else (depth > 0 and node.identifier == unit):
                        yield way[depth + 1 :]


def read_course(course_id: str, text: str | None) -> Course | Reason:
    if course_id.endswith(".img") or is_blank(text):
        return "missing_hierarchy"
    try:
        root = json.loads(with_known_escapes(text or ""))
        if is_retired(root):
            return "retired"
        course = Course(list(ways_down(root, above=(), taken=frozenset({course_id}))))
    except (ValueError, RecursionError):
        return "invalid_hierarchy"
    return course if course.leaves() else "empty_hierarchy"


def with_known_escapes(text: str) -> str:
    r"""The same JSON, with a character in place of an escape that JSON does not know.

    >>> with_known_escapes(r'{"name": "Teacher\'s \"day\""}')
    '{"name": "Teacher\'s \\"day\\""}'
    """

    def known(escape: re.Match[str]) -> str:
        return escape[0] if escape[1] in '"\\/bfnrtu' else json.dumps(escape[1])[1:-1]

    def of_string(string: re.Match[str]) -> str:
        return re.sub(r"\\(.)", known, string[0], flags=re.DOTALL)

    return re.sub(r'"(?:[^"\\]|\\.)*"', of_string, text, flags=re.DOTALL)


def ways_down(raw: Any, above: Way, taken: frozenset[str]) -> Iterator[Way]:
    identifier = identified(raw)
    if above and identifier in taken:
        raise InvalidTreeError(f"{identifier} contains itself")
    is_leaf = bool(above) and not is_collection(raw)
    way = (*above, Node(identifier, is_leaf, is_optional(raw)))
    yield way
    if is_leaf:
        return
    leaf_nodes = [{"identifier": leaf} for leaf in listed(raw, "leafNodes")] if not listed(raw, "children") else []
    for child in listed(raw, "children") or leaf_nodes:
        if not is_retired(child):
            yield from ways_down(child, way, taken | {identifier})


def identified(raw: Any) -> str:
    if not isinstance(raw, dict) or is_unusable(raw.get("identifier")):  # half a surrogate pair is a ValueError, too
        raise InvalidTreeError("a node without identifier")
    return str(raw["identifier"])


def is_collection(raw: dict[str, Any]) -> bool:
    """The type of the node decides where it has one, and where it has none, whether it has children."""
    if not is_blank(raw.get("mimeType")):
        return bool(raw["mimeType"] == COLLECTION)
    return bool(listed(raw, "children"))


def listed(raw: dict[str, Any], name: str) -> list[Any]:
    found = raw.get(name) or []
    if not isinstance(found, list):
        raise InvalidTreeError(f"{name} is not a list")
    return found


def is_optional(raw: dict[str, Any]) -> bool:
    metadata = raw.get("relationalMetadata")
    optional = metadata.get("optional") if isinstance(metadata, dict) else None
    return optional is True or (isinstance(optional, str) and optional.lower() == "true")


def is_retired(raw: Any) -> bool:
    return isinstance(raw, dict) and raw.get("status") == "Retired"
