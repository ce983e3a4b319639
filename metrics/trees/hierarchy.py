"""What a course consists of: its leaves, its collections, and which leaves each collection requires.

Where a node has a mimeType, it alone decides: a collection, or a leaf whose inside is not looked at. A node without one
is a collection if it has children. The root is always a collection.

Python per course, not per learner: a tree is walked once and becomes bit masks. Leaf number n of a course is bit
n mod 64 of word n div 64, so a course may have any number of leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from metrics.names import COURSE, COURSE_UNIT, LEAF_NODES_COUNT, LONGEST_KEY
from metrics.refusals import EMPTY_HIERARCHY, INVALID_HIERARCHY, MISSING_HIERARCHY
from metrics.trees.attributes import texts
from metrics.trees.lenient_json import parsed

COLLECTION_MIME_TYPE = "application/vnd.ekstep.content-collection"
RETIRED = "Retired"
WORD_BITS = 64
_ALL_BITS = (1 << WORD_BITS) - 1


class InvalidHierarchy(ValueError):
    """The tree breaks a rule that every tree must keep."""


@dataclass
class Collection:
    """A course or unit: bit sets of the leaves below it, and of those it requires."""

    below: int = 0
    required: int = 0


@dataclass
class Outline:
    """One course: `problem` is null when it can be computed; leaves are numbered by their position.

    `described` has the texts of its nodes by identifier, the course's own under its row key.
    """

    problem: str | None = None
    is_retired: bool = False
    leaves: dict[str, int] = field(default_factory=dict)
    collections: dict[tuple[str, str], Collection] = field(default_factory=dict)
    described: dict[str, dict[str, str]] = field(default_factory=dict)

    def words(self) -> list[dict[str, Any]]:
        """The collections' masks by word of 64 leaves; the course itself is in every word."""
        return [
            {"word": word, "collections": self._masks(word)}
            for word in range(max(1, -(-len(self.leaves) // WORD_BITS)))
        ]

    def _masks(self, word: int) -> list[dict[str, Any]]:
        masks = []
        for (activity_type, activity_id), collection in self.collections.items():
            below = _signed_word(collection.below, word)
            if below or activity_type == COURSE:
                masks.append(
                    {
                        "activity_type": activity_type,
                        "activity_id": activity_id,
                        "leaf_nodes_count": collection.required.bit_count(),
                        "below": below,
                        "required": _signed_word(collection.required, word),
                    }
                )
        return masks


def _signed_word(bits: int, word: int) -> int:
    """64 bits of a set as the JVM's signed long."""
    unsigned = (bits >> (word * WORD_BITS)) & _ALL_BITS
    return unsigned - _ALL_BITS - 1 if unsigned >> (WORD_BITS - 1) else unsigned


def outline(course_id: str, hierarchy: str | None, entries: Mapping[str, str] | None = None) -> Outline:
    """Read the JSON tree of a course; what is wrong with it becomes its `problem`.

    `entries` names the texts to keep of each node, and the attributes that they are.

    >>> outline("c1", '{"identifier": "c1", "children": [{"identifier": "A"}, {"identifier": "B"}]}').leaves
    {'A': 0, 'B': 1}
    >>> outline("c1", "{not json").problem
    'invalid_hierarchy'
    """
    if hierarchy is None or not hierarchy.strip():
        return Outline(problem=MISSING_HIERARCHY)
    try:
        root = parsed(hierarchy)
        if not isinstance(root, dict):
            raise InvalidHierarchy("the tree is not an object")
        if root.get("status") == RETIRED:
            return Outline(is_retired=True)
        course = _walk(course_id, root, entries or {})
    except (ValueError, RecursionError):
        return Outline(problem=INVALID_HIERARCHY)
    return course if course.leaves else Outline(problem=EMPTY_HIERARCHY)


@dataclass(frozen=True)
class _Step:
    """A node to visit, with what lies above it: identifiers on the way, collections, and whether each requires it."""

    node: Any
    identifiers: frozenset[str]
    above: tuple[tuple[Collection, bool], ...]


def _walk(course_id: str, root: dict[str, Any], entries: Mapping[str, str]) -> Outline:
    """Visit every placement in document order, without recursion: a published tree may be deep."""
    course = Outline(described={course_id: texts(root, entries)})
    whole = course.collections.setdefault((COURSE, course_id), Collection())
    to_visit = _below(root, frozenset({course_id, _identifier(root)}), ((whole, True),), course)
    while to_visit:
        step = to_visit.pop()
        if isinstance(step.node, dict) and step.node.get("status") == RETIRED:
            continue
        identifier = _identifier(step.node)
        if identifier in step.identifiers:
            raise InvalidHierarchy(f"{identifier} contains itself")
        if entries and identifier not in course.described:
            course.described[identifier] = texts(step.node, entries)
        above = tuple((collection, requires and not _is_optional(step.node)) for collection, requires in step.above)
        if _is_leaf(step.node):
            _place(identifier, above, course)
        else:
            unit = course.collections.setdefault((COURSE_UNIT, identifier), Collection())
            to_visit += _below(step.node, step.identifiers | {identifier}, (*above, (unit, True)), course)
    _describe_counts(course, [entry for entry, name in entries.items() if name == LEAF_NODES_COUNT])
    return course


def _describe_counts(course: Outline, entries: list[str]) -> None:
    for (_, identifier), collection in course.collections.items():
        for entry in entries:
            course.described[identifier][entry] = str(collection.required.bit_count())


def _below(
    node: dict[str, Any], identifiers: frozenset[str], above: tuple[tuple[Collection, bool], ...], course: Outline
) -> list[_Step]:
    """The steps below a collection, last child first; one that came without children has its `leafNodes` placed."""
    children = _listed(node, "children")
    if not children:
        for leaf in _listed(node, "leafNodes"):
            _identifier({"identifier": leaf})
            if leaf in identifiers:
                raise InvalidHierarchy(f"{leaf} contains itself")
            _place(leaf, above, course)
    return [_Step(child, identifiers, above) for child in reversed(children)]


def _place(leaf: str, above: tuple[tuple[Collection, bool], ...], course: Outline) -> None:
    bit = 1 << course.leaves.setdefault(leaf, len(course.leaves))
    for collection, requires in above:
        collection.below |= bit
        if requires:
            collection.required |= bit


def _identifier(node: Any) -> str:
    identifier = node.get("identifier") if isinstance(node, dict) else None
    if not isinstance(identifier, str) or not identifier.strip():
        raise InvalidHierarchy("a node has no identifier")
    # Half a surrogate pair is valid JSON and no text: a ValueError, like all that is invalid here.
    if len(identifier.encode()) > LONGEST_KEY:
        raise InvalidHierarchy("an identifier is longer than a key may be")
    return identifier


def _listed(node: dict[str, Any], name: str) -> list[Any]:
    listed = node.get(name)
    if not listed:
        return []
    if not isinstance(listed, list):
        raise InvalidHierarchy(f"{name} is not a list")
    return listed


def _is_leaf(node: dict[str, Any]) -> bool:
    mime_type = node.get("mimeType")
    if isinstance(mime_type, str) and mime_type.strip():
        return mime_type != COLLECTION_MIME_TYPE
    return not _listed(node, "children")


def _is_optional(node: dict[str, Any]) -> bool:
    """Whether a node says that it is optional: true, or the text "true" in any case, as some editors store it."""
    metadata = node.get("relationalMetadata")
    optional = metadata.get("optional") if isinstance(metadata, dict) else None
    return optional is True or (isinstance(optional, str) and optional.lower() == "true")


def outline_rows(
    courses: Iterator[tuple[str, str | None]], entries: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of `courses.OUTLINES` for (course_id, hierarchy) pairs, with the texts that `entries` names."""
    for course_id, hierarchy in courses:
        course = outline(course_id, hierarchy, entries)
        is_computed = course.problem is None and not course.is_retired
        yield {
            "course_id": course_id,
            "problem": course.problem,
            "is_retired": course.is_retired,
            "leaves": list(course.leaves),
            "collections": [
                {"activity_type": kind, "activity_id": name, "leaf_nodes_count": collection.required.bit_count()}
                for (kind, name), collection in course.collections.items()
            ],
            "words": course.words() if is_computed else [],
            "described": [
                {"activity_id": name, "metadata": list(found.items())} for name, found in course.described.items()
            ],
        }
