"""The layers that settings come from: conf/default.yaml < conf files < environment variables < flags.

A layer is a set of leaves: paths of keys, each with its value and its origin. A later layer hides what an earlier one
says at the same path, so mappings merge and everything else is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from activity_aggregates.errors import BadRequest
from activity_aggregates.plain_yaml import parsed
from activity_aggregates.settings import Source
from activity_aggregates.texts import hosts_of, read_text, require_text

ENVIRONMENT_PREFIX = "ACTIVITY_AGGREGATES__"
CONTACT_POINTS_VARIABLE = "CASSANDRA_CONTACT_POINTS"
PORT_VARIABLE = "CASSANDRA_PORT"
DEFAULT = "default"

# The mappings whose keys are Spark's and contain dots.
_SPARK_KEYS = re.compile(r"(spark\.conf|events\.options|sources\.\w+\.options)\.(.+)")

Keys = tuple[str, ...]
Leaves = dict[Keys, tuple[Any, str]]
Conf = Path | Sequence[Path] | None  # one file, several of which later ones win, or none


def layered(conf: Conf, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Leaves:
    """All layers in one, unchecked; a later file is a later layer, `flags` maps dotted keys to values."""
    leaves = default_layer()
    named = [conf] if isinstance(conf, Path) else conf or ()
    for file in named:
        leaves = _over(leaves, _file_layer(file))
    return _over(_over(leaves, _environment_layer(environ, leaves)), _flag_layer(flags))


def known_keys() -> list[Keys]:
    """Every section and key that there is; below the open mappings those of the defaults."""
    leaves = default_layer()
    sources = {keys[:2] for keys in leaves if within(keys, ("sources",))}
    return [*_sections(leaves), *((*keys, field.name) for keys in sources for field in fields(Source))]


def leaves_of(tree: Any, section: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every path of a tree with its value; an empty mapping is a value.

    >>> list(leaves_of({"limits": {"clock_skew": 5}, "log": {}}))
    [(('limits', 'clock_skew'), 5), (('log',), {})]
    """
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves_of(value, (*section, str(key)))
    else:
        yield section, tree


def tree_of(leaves: Iterable[tuple[Keys, Any]]) -> dict[str, Any]:
    """The tree whose `leaves_of` these are."""
    tree: dict[str, Any] = {}
    for (*sections, last), value in leaves:
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[last] = value
    return tree


def dotted(keys: Keys) -> str:
    """A path as it is written in flags and messages."""
    return ".".join(keys)


def within(keys: Keys, section: Keys) -> bool:
    """Whether a path is a section or lies below it."""
    return keys[: len(section)] == section


@cache
def default_layer() -> Leaves:
    """The defaults, which name every setting; nobody changes what is returned."""
    text = (files("conf") / "default.yaml").read_text("utf-8")
    return _layer(parsed(text, "default.yaml"), DEFAULT)


def _file_layer(conf: Path) -> Leaves:
    tree = parsed(read_text(conf, f"--conf {conf}", "name a YAML file"), str(conf))
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadRequest(f"--conf {conf} is not a mapping of settings: write section: {{key: value}}")
    return _layer(tree, str(conf))


def _environment_layer(environ: Mapping[str, str], below: Leaves) -> Leaves:
    """The variables that name a setting; an empty one says nothing, and a long form wins over a short one."""
    layer: Leaves = {}
    known = [*known_keys(), *_sections(below)]
    if hosts := environ.get(CONTACT_POINTS_VARIABLE):
        require_text(hosts, CONTACT_POINTS_VARIABLE)
        layer["cassandra", "contact_points"] = (hosts_of(hosts, CONTACT_POINTS_VARIABLE), CONTACT_POINTS_VARIABLE)
    if port := environ.get(PORT_VARIABLE):
        layer["cassandra", "port"] = (parsed(port, PORT_VARIABLE), PORT_VARIABLE)
    for variable, text in sorted(environ.items()):
        if variable.upper().startswith(ENVIRONMENT_PREFIX) and text:
            require_text(variable, "the variable")
            keys = _spelled(variable[len(ENVIRONMENT_PREFIX) :].split("__"), known)
            layer = _merged(layer, _layer(parsed(text, variable), variable, keys))
    return layer


def _spelled(parts: Iterable[str], known: Iterable[Keys]) -> Keys:
    """The path of a variable, whose letters are mostly upper ones, as the key is written that there is.

    A key that is not there yet has lower letters, unless the variable has both.

    >>> known = [("metadata", "fields", "primaryCategory")]
    >>> _spelled(["METADATA", "FIELDS", "PRIMARYCATEGORY"], known), _spelled(["METADATA", "FIELDS", "mimeType"], known)
    (('metadata', 'fields', 'primaryCategory'), ('metadata', 'fields', 'mimeType'))
    """
    keys: Keys = ()
    for part in parts:
        siblings = {other[len(keys)] for other in known if len(other) > len(keys) and within(other, keys)}
        alike = sorted(sibling for sibling in siblings if sibling.lower() == part.lower())
        new = part.lower() if part.isupper() else part
        keys = (*keys, part if part in alike else alike[0] if alike else new)
    return keys


def _flag_layer(flags: Mapping[str, Any]) -> Leaves:
    layer: Leaves = {}
    for key, value in flags.items():
        layer = _merged(layer, _layer(value, f"--set {key}", _keys(key)))
    return layer


def _keys(key: str) -> Keys:
    """The path of a dotted key; what follows `spark.conf` and any `options` is one key of Spark's.

    >>> _keys("limits.clock_skew"), _keys("spark.conf.spark.ui.enabled")
    (('limits', 'clock_skew'), ('spark', 'conf', 'spark.ui.enabled'))
    """
    if of_spark := _SPARK_KEYS.fullmatch(key):
        return (*of_spark[1].split("."), of_spark[2])
    return tuple(key.split("."))


def _layer(tree: Any, origin: str, section: Keys = ()) -> Leaves:
    return {keys: (value, origin) for keys, value in leaves_of(tree, section)}


def _sections(leaves: Leaves) -> list[Keys]:
    """The paths of leaves, and of all sections that they are in."""
    return list(dict.fromkeys(keys[:depth] for keys in leaves for depth in range(1, len(keys) + 1)))


def _over(below: Leaves, above: Leaves) -> Leaves:
    return _merged(_without_restated(below, above), above)


def _merged(below: Leaves, above: Leaves) -> Leaves:
    """Both layers, without what the upper one says anew; to merge an empty mapping changes nothing."""
    said = {keys: leaf for keys, leaf in above.items() if leaf[0] != {} or not any(within(k, keys) for k in below)}
    hidden = {keys for keys in below for other in said if within(keys, other) or within(other, keys)}
    return {keys: leaf for keys, leaf in below.items() if keys not in hidden} | said


def _without_restated(below: Leaves, above: Leaves) -> Leaves:
    """The lower layer without what is said as a whole: a replication, the place of a source whose format changes."""
    restated: set[Keys] = set()
    for keys, (value, _) in above.items():
        if within(keys, ("target", "replication")):
            restated.add(keys[:2])
        if within(keys, ("sources",)) and keys[2:] == ("format",) and below.get(keys, (value,))[0] != value:
            restated |= {(*keys[:2], field) for field in ("keyspace", "table", "path", "options")}
    return {keys: leaf for keys, leaf in below.items() if not any(within(keys, whole) for whole in restated)}
