"""What a course consists of: its units, its leaves, and which of them are required."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model.rows import is_blank

COLLECTION = "application/vnd.ekstep.content-collection"

Reason = str


class Node(NamedTuple):
    identifier: str
    is_leaf: bool
    is_optional: bool


Way = tuple[Node, ...]  # from the root down to one placement of a node, that node last


class InvalidTreeError(ValueError):
    """A node without identifier, or below itself."""


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
        root = json.loads(text or "")
        if is_retired(root):
            return "retired"
        course = Course(list(ways_down(root, above=(), taken=frozenset({course_id}))))
    except ValueError:
        return "invalid_hierarchy"
    return course if course.leaves() else "empty_hierarchy"


def ways_down(raw: Any, above: Way, taken: frozenset[str]) -> Iterator[Way]:
    if not isinstance(raw, dict) or is_blank(raw.get("identifier")):
        raise InvalidTreeError("a node without identifier")
    identifier = raw["identifier"]
    if above and identifier in taken:
        raise InvalidTreeError(f"{identifier} contains itself")
    children = raw.get("children") or []
    is_leaf = bool(above) and not children and raw.get("mimeType") != COLLECTION
    way = (*above, Node(identifier, is_leaf, is_optional(raw)))
    yield way
    if not children and not is_leaf:
        children = [{"identifier": leaf} for leaf in raw.get("leafNodes") or []]
    for child in children:
        if not is_retired(child):
            yield from ways_down(child, way, taken | {identifier})


def is_optional(raw: dict[str, Any]) -> bool:
    metadata = raw.get("relationalMetadata")
    return isinstance(metadata, dict) and metadata.get("optional") is True


def is_retired(raw: Any) -> bool:
    return isinstance(raw, dict) and raw.get("status") == "Retired"
