"""Strange values, and what is done to right ones to make them strange: all of it drawn by a seeded chance."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TEXTS = (
    "", " ", "\t\n", "\0", "a\0b", "u1", "c1", "cb:b1", "cb:", "g:", "Course:c1", "Course:", ":",
    "null", "true", "0", "-1", "1e999", "nan",
    "9" * 400, "ÿ", "é", "e\u0301", "\u202eu1", "\u2028", "\x85", "\x1c", "\ufeff", "\ufffe", "🧑🏽‍🏫", "\ud800",
    "\udcff", "${x}", "{{x}}", "../../etc/passwd", "'; DROP TABLE x; --",
    "a" * 600, "é" * 512, "é" * 513, "x" * 5000, "\\", '"', "'", "`", "*",
    "2026-01-01", "2026-02-30", "0000-01-01", "9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00",
)  # fmt: skip
NUMBERS = (
    0, -0.0, 1, -1, 2, 3, 0.5, 1e-320, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"),
    2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400,
)  # fmt: skip
_CHARACTERS = "{}[]\"':,\\#&*!|>%@`-?~=<\0\t\n\r\x1b /0ae\u00ff\u2028"
SIGNS = (*_CHARACTERS, "\\u", "\\ud800", "\\x", "&a ", "*a", "<<: ", "!!", "--- ", "0x", "//", "1e")


def text(chance: Random) -> str:
    """One of the well-known, or characters of anywhere, halves of surrogate pairs among them."""
    if chance.random() < 0.7:
        return chance.choice(TEXTS)
    highest = chance.choice([0x7F, 0xFF, 0xFFFF, 0x10FFFF])
    return "".join(chr(chance.randint(0, highest)) for _ in range(chance.randint(0, 12)))


def value(chance: Random, depth: int = 0) -> Any:
    """A value of any type that JSON has."""
    kinds = ["text", "text", "number", "constant", *(["list", "mapping"] if depth < 3 else [])]
    match chance.choice(kinds):
        case "text":
            return text(chance)
        case "number":
            return chance.choice(NUMBERS)
        case "constant":
            return chance.choice([None, True, False])
        case "list":
            return [value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
        case _:
            return {text(chance): value(chance, depth + 1) for _ in range(chance.randint(0, 3))}


def changed_tree(chance: Random, tree: Any) -> Any:
    """The same tree of lists and mappings with one thing in it replaced, added, taken away or said twice."""
    tree = json.loads(json.dumps(tree))
    places = _places(tree)
    if not places:
        return value(chance)
    inside, key = chance.choice(places)
    match chance.choice(["replace", "replace", "remove", "name", "around", "copy"]):
        case "replace":
            inside[key] = value(chance)
        case "remove":
            del inside[key]
        case "name" if isinstance(inside, dict):
            inside[text(chance)] = inside.pop(key)
        case "around":
            inside[key] = chance.choice([[inside[key]], {text(chance): inside[key]}])
        case _:
            inside[key] = json.loads(json.dumps(chance.choice(places)[0]))
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every list or mapping of a tree with every index or key of it."""
    found: list[tuple[Any, Any]] = []
    left = [tree]
    while left:
        each = left.pop()
        keys = list(each) if isinstance(each, dict) else list(range(len(each))) if isinstance(each, list) else []
        found += [(each, key) for key in keys]
        left += [each[key] for key in keys]
    return found


def changed_text(chance: Random, text: str) -> str:
    """The same text with some of it cut out, put in, doubled or replaced."""
    for _ in range(chance.choice([1, 1, 2, 5])):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice([0, 1, 1, 3, 20]))
        middle = chance.choice([chance.choice(SIGNS), "", text[start:end] * 2, TEXTS[chance.randrange(len(TEXTS))]])
        text = text[:start] + middle + text[end:]
    return text[: chance.randint(0, len(text))] if chance.random() < 0.1 else text


def as_bytes(chance: Random, text: str) -> bytes:
    """The text in UTF-8, one time in eight as a file of another encoding, or with bytes that are none of UTF-8."""
    raw = text.encode("utf-8", "surrogatepass" if chance.random() < 0.5 else "replace")
    match chance.randrange(24):
        case 0:
            return raw.decode("utf-8", "replace").encode("utf-16")
        case 1:
            place = chance.randint(0, len(raw))
            return raw[:place] + chance.randbytes(3) + raw[place:]
        case 2:
            return b"\xef\xbb\xbf" + raw
        case _:
            return raw
