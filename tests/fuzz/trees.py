"""Trees of courses, and what is left of them when somebody has edited them by hand."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from metrics.refusals import HIERARCHY_REASONS
from metrics.trees.attributes import LONGEST
from metrics.trees.hierarchy import outline, outline_rows
from tests.fuzz.strange import changed_text, changed_tree, value
from tests.model.courses import read_course
from tests.properties.test_trees import COURSE, as_a_course_has_it, as_the_model_has_it
from tests.properties.trees import UNITS, course_tree

ENTRIES = {"name": "name", "title": "identifier", "kind": "mimeType", "counted": "leafNodesCount"}
DEEPEST = 3000
_MASKED = pa.struct(
    [("activity_type", pa.string()), ("activity_id", pa.string()), ("leaf_nodes_count", pa.int64()),
     ("below", pa.int64()), ("required", pa.int64())]
)  # fmt: skip
_TEXTS = pa.map_(pa.string(), pa.string())
# What `metrics.trees.courses.OUTLINES` is in Arrow, where the rows of the outlines have to fit.
ROWS = pa.schema(
    [
        ("course_id", pa.string()), ("problem", pa.string()), ("is_retired", pa.bool_()),
        ("leaves", pa.list_(pa.string())),
        ("collections", pa.list_(pa.struct([*_MASKED][:3]))),
        ("words", pa.list_(pa.struct([("word", pa.int32()), ("collections", pa.list_(_MASKED))]))),
        ("described", pa.list_(pa.struct([("activity_id", pa.string()), ("metadata", _TEXTS)]))),
    ]
)  # fmt: skip


def hierarchy(chance: Random, _: Path) -> str:
    """A tree is read as the slow model reads it, and its rows are rows that Spark takes."""
    stored = drawn(chance)
    read = outline(COURSE, stored)
    assert as_the_model_has_it(read) == as_a_course_has_it(read_course(COURSE, stored))
    rows = list(outline_rows(iter([(COURSE, stored)]), ENTRIES))
    pa.RecordBatch.from_pylist(rows, ROWS)
    texts = [text for node in rows[0]["described"] for _, text in node["metadata"]]
    assert all(text.strip() and len(text) <= LONGEST for text in texts)
    if read.problem is not None:
        assert read.problem in HIERARCHY_REASONS
        assert not rows[0]["words"]
    return read.problem or ("retired" if read.is_retired else "")


def drawn(chance: Random) -> str | None:
    """A right tree, a changed one, a text that is none any more, something deep, or anything."""
    tree = course_tree(chance, COURSE, UNITS)
    match chance.randrange(12):
        case 0:
            return _text(tree)
        case 1 | 2 | 3 | 4:
            for _ in range(chance.choice([1, 1, 2, 4])):
                tree = changed_tree(chance, tree)
            return _text(tree)
        case 5 | 6 | 7 | 8:
            return changed_text(chance, _text(tree))
        case 9 if chance.random() < 0.02:
            return _deep(chance, tree)
        case 10:
            return chance.choice([None, _text(value(chance))])
        case _:
            return _text(tree).replace('"identifier"', chance.choice(ODD_NAMES) + ', "identifier"')


ODD_NAMES = (
    r'"name": "a teacher\'s"',
    r'"name": "\ud800"',
    r'"name": "\u0000"',
    '"name": 1e999',
    '"name": NaN',
    '"name": "\\q\\"',
)


def _deep(chance: Random, tree: Any) -> str:
    """Levels upon levels: of nodes, or of what is no node at all."""
    levels = chance.randint(100, DEEPEST)
    opening, closing = chance.choice([('{"identifier": "n%d", "children": [', "]}"), ("[", "]"), ('{"a": ', "}")])
    inner = _text(tree) if chance.random() < 0.5 else "7"
    return "".join(opening.replace("%d", str(n)) for n in range(levels)) + inner + closing * levels


def _text(tree: Any) -> str:
    return json.dumps(tree)
