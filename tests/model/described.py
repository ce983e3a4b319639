"""By what an activity is described: the tree of the smallest settled course to which the catalog gives it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.model.courses import Course, is_retired, read_course
from tests.model.tables import CatalogKey

Texts = dict[str, str]


class MetadataKey(NamedTuple):
    activity_type: str
    activity_id: str


def described(hierarchies: Mapping[str, str | None], catalog: Mapping[CatalogKey, str]) -> dict[MetadataKey, Texts]:
    """Names of nodes that have one, and of courses and units how many leaves they require."""
    candidates: dict[MetadataKey, set[str]] = defaultdict(set)
    for place, course_id in catalog.items():
        candidates[MetadataKey(place.activity_type, place.activity_id)].add(course_id)
    courses = {course_id: read_course(course_id, text) for course_id, text in hierarchies.items()}
    names = {course_id: dict(named(json.loads(hierarchies[course_id] or ""))) for course_id in settled(courses)}
    found = {}
    for key, course_ids in candidates.items():
        with_a_node = [course_id for course_id in course_ids if key.activity_id in names.get(course_id, {})]
        if with_a_node:
            smallest = min(with_a_node)
            found[key] = {"name": names[smallest][key.activity_id], **leaf_nodes(key, courses[smallest])}
    return found


def settled(courses: Mapping[str, Any]) -> list[str]:
    return [course_id for course_id, course in courses.items() if isinstance(course, Course)]


def named(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The identifier and the name of a node and of all that is below it and not retired."""
    yield node["identifier"], node["name"]
    for child in node.get("children") or []:
        if not is_retired(child):
            yield from named(child)


def leaf_nodes(key: MetadataKey, course: Any) -> Texts:
    if key.activity_type == "Quiz":  # whose node may be a unit, too
        return {}
    unit = key.activity_id if key.activity_type == "CourseUnit" else None
    return {"leafNodesCount": str(len(course.required(unit)))}
