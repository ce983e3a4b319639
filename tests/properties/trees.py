"""Small trees of courses that share what is in them, and what is done to them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

Tree = dict[str, Any]
Units = Sequence[str]


class Collection(NamedTuple):
    """The root of a tree or a unit, and the identifiers on the way down to it, its own included."""

    node: Tree
    down: frozenset[str]


COLLECTION = "application/vnd.ekstep.content-collection"
LEAVES = ("k", "l", "p", "q", "a")
UNITS = ("m", "n", "q")


def course_tree(chance: random.Random, course: str, units: Units) -> Tree:
    children = [node(chance, frozenset({course}), units, depth=1) for _ in range(chance.choice([1, 2, 2, 3]))]
    return {"identifier": course, "mimeType": COLLECTION, "children": [leaf(chance, frozenset()), *children]}


def node(chance: random.Random, above: frozenset[str], units: Units, depth: int) -> Tree:
    """A unit, where it would not contain itself and is not too deep, or a leaf."""
    free = [unit for unit in units if unit not in above]
    if not free or depth > 2 or chance.random() < 0.4:
        return leaf(chance, above)
    unit = chance.choice(free)
    children = [node(chance, above | {unit}, units, depth + 1) for _ in range(chance.choice([1, 2, 2]))]
    return {"identifier": unit, "mimeType": COLLECTION, "children": children} | placement(chance)


def leaf(chance: random.Random, above: frozenset[str]) -> Tree:
    name = chance.choice([leaf for leaf in LEAVES if leaf not in above])
    return {"identifier": name, "mimeType": chance.choice(["video/mp4", "video/mp4", None])} | placement(chance)


def placement(chance: random.Random) -> Tree:
    plain: Tree = {}
    optional = {"relationalMetadata": {"optional": chance.choice([True, "true"])}}
    return chance.choice([plain, plain, plain, optional])


def collections_of(tree: Tree, above: frozenset[str] = frozenset()) -> list[Collection]:
    """The root and its units, at every place where they are, each with the identifiers down to it."""
    if not tree.get("children"):
        return []
    down = above | {tree["identifier"]}
    return [Collection(tree, down), *(found for child in tree["children"] for found in collections_of(child, down))]


def identifiers(tree: Tree) -> set[str]:
    return {tree["identifier"]}.union(*(identifiers(child) for child in tree.get("children") or []))


def units_of(tree: Tree) -> list[str]:
    return sorted({unit.node["identifier"] for unit in collections_of(tree)[1:]})


def leaves_of(tree: Tree) -> list[str]:
    children = tree.get("children") or []
    found = {leaf for child in children for leaf in leaves_of(child)} if children else {tree["identifier"]}
    return sorted(found)


def changed(chance: random.Random, tree: Tree, units: Units) -> Tree:
    """Something is added, taken away, made optional or retired."""
    tree = copied(tree)
    place = chance.choice(collections_of(tree))
    children = place.node["children"]
    what = chance.choice(["add", "add", "remove", "optional", "retire"])
    if what == "add":
        children.append(node(chance, place.down, units, depth=2))
    elif what == "optional":
        chance.choice(children)["relationalMetadata"] = {"optional": chance.choice([True, False])}
    elif len(children) > 1 and what == "remove":
        children.pop(chance.randrange(len(children)))
    elif len(children) > 1:
        chance.choice(children)["status"] = chance.choice(["Retired", "Live"])
    return tree


def named(tree: Tree, course: str) -> Tree:
    """The tree with a name for every node, by which it can be seen of whose tree it is."""
    below = [named(child, course) for child in tree.get("children") or []]
    return {**tree, "name": f"{tree['identifier']} in {course}", **({"children": below} if below else {})}


def shared(chance: random.Random, giver: Tree, taker: Tree, is_moved: bool) -> tuple[Tree, Tree] | None:
    """Both trees after a unit of one has come into the other; None where it would contain itself, or there is none."""
    giver, taker = copied(giver), copied(taker)
    places = [
        (place.node["children"], child)
        for place in collections_of(giver)
        for child in place.node["children"]
        if child.get("children") and taker["identifier"] not in identifiers(child)
    ]
    if not places:
        return None
    siblings, unit = chance.choice(places)
    taker["children"].append(copied(unit))
    if is_moved and len(siblings) > 1:
        siblings.remove(unit)
    return giver, taker


def copied(tree: Tree) -> Tree:
    found: Tree = json.loads(json.dumps(tree))
    return found
