"""What the job reads of a course's tree against the slow model, on generated trees, whole and broken."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings

from metrics.trees.hierarchy import Outline, outline
from tests.generators import hierarchies
from tests.model.courses import Course, read_course
from tests.properties.trees import UNITS, changed, course_tree

COURSE = "c1"
ODD_NODES = [
    r'{"identifier": "c1", "name": "a teacher\'s \d\ay", "children": [{"identifier": "l1"}]}',
    r'{"identifier": "c1", "children": [{"identifier": "\l1"}, {"identifier": "l\u0031"}]}',
    r'{"identifier": "c1", "children": [{"identifier": "\ud800"}]}',
    r'{"identifier": "c1", "name": "\u12", "children": [{"identifier": "l1"}]}',
    r'{\"identifier": "c1", "children": [{"identifier": "l1"}]}',
    '{"identifier": "c1", "children": {"identifier": "l1"}}',
    '{"identifier": "c1", "children": [{"identifier": "l1", "mimeType": "video/mp4", "children": "none"}]}',
    '{"identifier": "c1", "children": [{"identifier": "l1", "children": [{"identifier": "l1"}]}]}',
    '{"identifier": "c1", "children": [{"identifier": 7}]}',
    '{"identifier": "c1", "status": "Retired", "children": 7}',
    '{"identifier": "c1", "mimeType": "video/mp4", "children": [{"identifier": "l1"}]}',
    '{"identifier": "c1", "leafNodes": ["l1", "l2", "l1"]}',
    '{"identifier": "c1", "leafNodes": ["l1", null]}',
    '{"identifier": "c1", "leafNodes": ["c1"]}',
    '{"identifier": "c1", "children": [{"identifier": "n1", "leafNodes": ["l1"]}]}',
    '{"identifier": "c1", "children": [{"identifier": "l1", "relationalMetadata": {"optional": "True"}}]}',
]


def as_the_model_has_it(read: Outline) -> Any:
    """Reason, or the leaves below each collection and those that it requires."""
    if read.is_retired or read.problem:
        return read.problem or "retired"

    def leaves(bits: int) -> set[str]:
        return {leaf for leaf, number in read.leaves.items() if bits >> number & 1}

    return {
        (kind, name): (leaves(collection.below), leaves(collection.required))
        for (kind, name), collection in read.collections.items()
    }


def as_a_course_has_it(read: Course | str) -> Any:
    if isinstance(read, str):
        return read
    units = {("CourseUnit", unit): (read.leaves(unit), read.required(unit)) for unit in read.units()}
    return {("Course", COURSE): (read.leaves(), read.required())} | units


@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(hierarchies(COURSE))
@example(None)
def test_a_tree_is_read_as_the_model_reads_it(text: str | None) -> None:
    assert as_the_model_has_it(outline(COURSE, text)) == as_a_course_has_it(read_course(COURSE, text))


@pytest.mark.parametrize("text", ODD_NODES)
def test_an_odd_tree_is_read_as_the_model_reads_it(text: str) -> None:
    assert as_the_model_has_it(outline(COURSE, text)) == as_a_course_has_it(read_course(COURSE, text))


def test_trees_that_are_published_again_and_again_are_read_as_the_model_reads_them() -> None:
    chance = random.Random(1)
    for _ in range(100):
        tree = course_tree(chance, COURSE, [*UNITS, "c2", "a"])
        for _ in range(10):
            text = json.dumps(tree)
            assert as_the_model_has_it(outline(COURSE, text)) == as_a_course_has_it(read_course(COURSE, text))
            tree = changed(chance, tree, [*UNITS, "c2", "a"])
