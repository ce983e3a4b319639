"""YAML as people write settings: texts, numbers, truth values, dates, lists and mappings, each said once.

Whatever a text holds, it becomes a value that JSON has, with dates beside, or a BadRequest: a tree that is neither deep
nor endless, whose keys are texts, whose texts are Unicode and whose whole numbers fit 64 bits. What a mistyped password
was taken for, an alias, a tag or a key, is not in its sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from activity_aggregates.errors import BadRequest
from activity_aggregates.masking import names_a_secret

_DEEPEST = 50  # levels
_MOST_VALUES = 1_000_000  # a few lines of aliases stand for more than memory holds, and one in itself has no end
_LARGEST = 2**63
# What the parser quotes of a text.
_QUOTED = re.compile(r"\b(alias|anchor|tag|handle|character|found) (['\"]).*\2", re.DOTALL)
_KINDS = ("null", "bool", "int", "float", "str", "timestamp", "seq", "map")


def parsed(text: str, origin: str) -> Any:
    """A YAML value; raises BadRequest, which names the origin, where the text is none.

    >>> parsed("{a: [1, 2026-01-31]}", "--set a")
    {'a': [1, datetime.date(2026, 1, 31)]}
    >>> parsed("no: 1", "--set a")
    Traceback (most recent call last):
    activity_aggregates.errors.BadRequest: in --set a the key no in line 1 is not a text: write it in quotes
    """
    try:
        value = yaml.load(text, _Loader)
    except _Refused as error:
        raise BadRequest(f"in {origin} {error.sentence(not names_a_secret(f'{origin} {text}'))}") from error
    except yaml.reader.ReaderError as error:
        raise BadRequest(f"{origin} is not YAML: character {error.position + 1} of it is no text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        problem = _QUOTED.sub(r"\1", str(getattr(error, "problem", None) or "it cannot be read"))
        raise BadRequest(f"{origin} is not YAML{place}: {problem}") from error
    except RecursionError as error:
        raise BadRequest(f"{origin} has {_TOO_DEEP}") from error
    _check_size(value, origin)
    return value


_TOO_DEEP = f"more than {_DEEPEST} levels of lists and mappings: write it flatter"


def _check_size(value: Any, origin: str) -> None:
    """Raises BadRequest for a tree that is deep, large or contains itself."""
    left, found = [(value, 0)], 0
    while left:
        each, depth = left.pop()
        found += 1
        if depth > _DEEPEST:
            raise BadRequest(f"{origin} has {_TOO_DEEP}")
        if found > _MOST_VALUES:
            raise BadRequest(f"{origin} says more than {_MOST_VALUES} values: leave out aliases of aliases")
        if isinstance(each, dict | list):
            left += [(part, depth + 1) for part in (each.values() if isinstance(each, dict) else each)]


class _Refused(Exception):
    """What YAML allows and settings do not, with the key that it is about where there is one."""

    def __init__(self, wrong: str, key: yaml.Node | None = None) -> None:
        super().__init__(wrong)
        is_text = isinstance(key, yaml.ScalarNode) and key.value.isprintable()
        self.key = f" {key.value}" if key and is_text else ""

    def sentence(self, is_named: bool) -> str:
        """What follows `in ORIGIN`, with or without the name of the key."""
        return str(self).replace("the key", f"the key{self.key if is_named else ''}", 1)


class _Loader(yaml.SafeLoader):
    """Builds the kinds of values that JSON has, and dates, and nothing that is said twice or cannot be held."""

    def get_single_data(self) -> Any:
        """The value of the text, whose mappings are looked at as they are written: merged ones hold keys of others."""
        node = self.get_single_node()
        if node is None:
            return None
        _check_doubles(node)
        return self.construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are texts: `no: 1` would be about False."""
        mapping = super().construct_mapping(node, deep)
        for key in (key for key, _ in node.value if not _is_name(self.construct_object(key))):
            raise _Refused(f"the key in line {key.start_mark.line + 1} is not a text: write it in quotes", key)
        return mapping

    def held(self, node: yaml.Node) -> Any:
        """The value of a number, a date or a text; raises _Refused for one that nothing can hold."""
        kind = node.tag.rpartition(":")[2]
        try:
            value = yaml.SafeLoader.yaml_constructors[node.tag](self, node)
            if isinstance(value, str):
                value.encode()  # half a surrogate pair can be written, and is no text
            is_held = not (isinstance(value, int) and abs(value) >= _LARGEST) and "\0" not in str(value)
        except (ValueError, LookupError, AttributeError, ArithmeticError):  # 2026-02-30, 0x_, 99999 digits, !!int x
            is_held = False
        if not is_held:
            raise _Refused(f"the value in line {node.start_mark.line + 1} cannot be held as {_MEANT[kind]}")
        return value


def _check_doubles(document: yaml.Node) -> None:
    """Raises _Refused for a key that a mapping says twice: the last value would win without a word."""
    left, seen = [document], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen:  # by an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            left += node.value
        elif isinstance(node, yaml.MappingNode):
            left += (part for pair in node.value for part in pair)
            lines: dict[tuple[str, str], int] = {}
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                line = key.start_mark.line + 1
                if (key.tag, key.value) in lines:
                    first = lines[key.tag, key.value]
                    where = f"lines {first} and {line}" if line != first else f"line {line}"
                    raise _Refused(f"the key is given twice, in {where}: leave out one of them", key)
                lines[key.tag, key.value] = line


def _is_name(key: Any) -> bool:
    """Whether a key can be shown in a sentence."""
    return isinstance(key, str) and key.isprintable()


_MEANT = {
    "null": "nothing", "bool": "true or false", "int": "a whole number of 64 bits", "float": "a number",
    "timestamp": "a date: write a text in quotes", "str": "text: write it as Unicode",
}  # fmt: skip
_TAGS = {f"tag:yaml.org,2002:{kind}": kind for kind in _KINDS}


def _constructor(tag: str, kind: str) -> Callable[[Any, Any], Any]:
    return _Loader.held if kind in _MEANT else yaml.SafeLoader.yaml_constructors[tag]


# Bytes, sets and lists of pairs have no place in settings: their tags are as unknown as any other.
_Loader.yaml_constructors = {
    **{tag: _constructor(tag, kind) for tag, kind in _TAGS.items()},
    None: yaml.SafeLoader.yaml_constructors[None],
}
