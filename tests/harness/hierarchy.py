"""The shorthand for the trees of courses."""

from __future__ import annotations

import json
from typing import Any

COLLECTION = "application/vnd.ekstep.content-collection"
CONTENT = "video/mp4"
MIME_TYPES = {"course": COLLECTION, "unit": COLLECTION, "leaf": CONTENT}


def hierarchy_text(tree: Any) -> str | None:
    """What is stored for a tree: its JSON; a text and an absent one are stored as they are."""
    return tree if tree is None or isinstance(tree, str) else json.dumps(full_tree(tree))


def full_tree(node: Any) -> Any:
    """The tree that a shorthand stands for; nodes written in full stay as they are, apart from shorthand below them.

    >>> full_tree({"unit": "u1", "optional": True, "children": [{"identifier": "l1"}]})["relationalMetadata"]
    {'optional': True}
    """
    if isinstance(node, str):
        return {"identifier": node, "mimeType": CONTENT}
    if not isinstance(node, dict):
        return node
    full = _named_in_full(node) if MIME_TYPES.keys() & node.keys() else dict(node)
    if isinstance(full.get("children"), list):
        full["children"] = [full_tree(child) for child in full["children"]]
    return full


def _named_in_full(node: dict[str, Any]) -> dict[str, Any]:
    kind = next(kind for kind in MIME_TYPES if kind in node)
    rest = {key: value for key, value in node.items() if key not in (kind, "optional")}
    full = {"identifier": node[kind], "mimeType": MIME_TYPES[kind], **rest}
    if "optional" in node:
        full["relationalMetadata"] = {**(full.get("relationalMetadata") or {}), "optional": node["optional"]}
    return full
