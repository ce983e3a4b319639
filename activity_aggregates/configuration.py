"""The settings of one command: the layers, checked as a whole, with one message that names every mistake."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from activity_aggregates.errors import BadRequest
from activity_aggregates.layers import (
    DEFAULT,
    Conf,
    Keys,
    Leaves,
    default_layer,
    dotted,
    known_keys,
    layered,
    leaves_of,
    tree_of,
    within,
)
from activity_aggregates.masking import HIDDEN, is_secret, masked, shown_key, without_secrets
from activity_aggregates.plain_yaml import parsed
from activity_aggregates.selection import mistaken_choices
from activity_aggregates.settings import OWN_COLUMNS, OWN_LABELS, RESERVED_WORDS, Settings, Source, Target

_SOURCE_SHAPES = "{format: cassandra, keyspace: …, table: …} or {format: parquet | csv | json, path: …}"
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_SETTINGS = TypeAdapter(Settings)


@dataclass(frozen=True)
class Configuration:
    """Settings with the origin of each by dotted key, and a digest that runs record."""

    settings: Settings
    origins: Mapping[str, str]
    digest: str


def load(conf: Conf, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Configuration:
    """The settings of one command, of files each of which wins over those before it; for `flags` see `flag_values`."""
    leaves = layered(conf, environ, flags)
    settings = _checked(leaves)
    return Configuration(settings, {dotted(keys): origin for keys, (_, origin) in leaves.items()}, _digest(settings))


def flag_values(assignments: Iterable[str]) -> dict[str, Any]:
    """What `--set section.key=value` says; the value is YAML, and no secret.

    >>> flag_values(["limits.refused_share=0.5", "sources.attempts=null"])
    {'limits.refused_share': 0.5, 'sources.attempts': None}
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not (key and equals and key.isprintable()):
            raise BadRequest(f"--set {shown_key(assignment)!r} is not an assignment: write --set section.key=value")
        if is_secret(key) or without_secrets(text) != text:
            raise BadRequest(f"--set {key} would stand in the list of processes: say it in a --conf file or a variable")
        values[key] = parsed(text, f"--set {key}")
    return values


def resolved(settings: Settings) -> dict[Keys, Any]:
    """Every setting with its value, secrets hidden."""
    tree = _SETTINGS.dump_python(settings)
    return {keys: masked(keys[-1], value) for keys, value in leaves_of(tree)}


def _digest(settings: Settings) -> str:
    values = {dotted(keys): value for keys, value in resolved(settings).items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _checked(leaves: Leaves) -> Settings:
    tree = tree_of((keys, value) for keys, (value, _) in leaves.items())
    mistakes = [*_misplaced(leaves), *_mislabelled(leaves)]
    try:
        # As JSON: there pydantic can be strict about values ("5" is not a number) without being so about mappings.
        settings = _SETTINGS.validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        mistakes += _mistyped(error, leaves)
    else:
        mistakes += _incomplete_sources(settings, leaves)
        mistakes += _mistaken_names(settings.target, leaves)
        mistakes += (f"{_named(('metrics', key), leaves)} {wrong}" for key, wrong in mistaken_choices(settings.metrics))
        if not mistakes:
            return settings
    raise BadRequest("\n".join(mistakes))


def _misplaced(leaves: Leaves) -> Iterator[str]:
    """Keys that the types allow, because they are of mappings, and the software does not."""
    known = set(default_layer())
    for keys in leaves:
        section = keys[:-1]
        is_closed = section == ("target", "tables") or section[2:] == ("columns",)
        if is_closed and keys not in known and any(other[:-1] == section for other in known):
            yield _unknown(keys, leaves)
        if keys[:2] == ("spark", "conf") and keys[-1].startswith("spark.cassandra.") and is_secret(keys[-1]):
            yield f"{_named(keys, leaves)} would stand in the list of processes: use cassandra.password_env or _file"


def _mislabelled(leaves: Leaves) -> Iterator[str]:
    """Labels of a deployment that Prometheus, or what the metrics say themselves, does not allow."""
    for keys in leaves:
        if within(keys, ("prometheus", "labels")) and len(keys) > 2:
            if keys[2] in OWN_LABELS:
                yield f"{_named(keys, leaves)} is a label that the metrics have themselves: name it otherwise"
            elif not _LABEL.fullmatch(keys[2]):
                yield f"{_named(keys, leaves)} is not the name of a label: write letters, digits and _, a letter first"


def _mistyped(error: ValidationError, leaves: Leaves) -> list[str]:
    mistakes: list[str] = []
    expected: dict[Keys, list[str]] = {}  # one key may fail every type of a union
    for detail in error.errors():
        keys = tuple(str(key) for key in detail["loc"])
        if detail["type"] == "unexpected_keyword_argument":
            mistakes.append(_unknown(keys, leaves))
        elif detail["type"] == "missing":  # only a source can lack a key, everything else has a default
            mistakes.append(f"{_named(keys[:-1], leaves)} has no {keys[-1]}: write {_SOURCE_SHAPES}")
        else:
            while not any(within(other, keys) for other in leaves):  # an item of a list, a type of a union
                keys = keys[:-1]
            expected.setdefault(keys, []).append(re.sub(r"^\w+ should | after validation.*", "", detail["msg"]))
    for keys, messages in expected.items():
        wanted = " or ".join(messages).replace("an object", "a mapping").replace("a valid array", "a list")
        mistakes.append(f"{_named(keys, leaves)} must {wanted}, not {_shown(keys, leaves)}")
    return mistakes


def _incomplete_sources(settings: Settings, leaves: Leaves) -> Iterator[str]:
    for field in fields(settings.sources):
        source: Source | None = getattr(settings.sources, field.name)
        if source is None:
            continue
        wanted, unwanted = ["keyspace", "table"], ["path"]
        if source.format != "cassandra":
            wanted, unwanted = unwanted, wanted
        wrong = [f"no {key}" for key in wanted if not getattr(source, key)]
        wrong += [f"a {key}" for key in unwanted if getattr(source, key)]
        if wrong:
            named = _named(("sources", field.name), leaves)
            yield f"{named} of format {source.format} has {' and '.join(wrong)}: write {_SOURCE_SHAPES}"


def _mistaken_names(target: Target, leaves: Leaves) -> Iterator[str]:
    """Names of the target that CQL would refuse, or of which two would be the same."""
    columns = {"agg": target.columns.agg, "agg_last_updated": target.columns.agg_last_updated}
    for section, names in (("tables", target.tables), ("columns", columns)):
        for key, name in names.items():
            others = [other for other, same in names.items() if same == name and other != key]
            if name in RESERVED_WORDS:
                yield f"{_named(('target', section, key), leaves)} is {name}, a reserved word of CQL: name it otherwise"
            elif section == "columns" and name in OWN_COLUMNS:
                yield f"{_named(('target', section, key), leaves)} is {name}, a column of the key: name it otherwise"
            elif others and key < min(others):
                named = _named(("target", section, key), leaves)
                yield f"{named} and {', '.join(others)} are both {name}: give each a name of its own"
    if target.keyspace in RESERVED_WORDS:
        named = _named(("target", "keyspace"), leaves)
        yield f"{named} is {target.keyspace}, a reserved word of CQL: name it otherwise"


def _unknown(keys: Keys, leaves: Leaves) -> str:
    """Names an unknown key and the nearest known one, of its section or else of any; never its value."""
    known = known_keys()
    siblings = [other for other in known if other[:-1] == keys[:-1]]
    for candidates in (siblings, known):
        names = {other[-1]: other for other in reversed(candidates)}
        if near := get_close_matches(keys[-1], names, n=1):
            return f"{_named(keys, leaves)} is not a setting; the nearest is {dotted(names[near[0]])}"
    allowed = ", ".join(other[-1] for other in siblings)
    return f"{_named(keys, leaves)} is not a setting; {dotted(keys[:-1]) or 'the top level'} has {allowed}"


def _named(keys: Keys, leaves: Leaves) -> str:
    origins = (origin for other, (_, origin) in leaves.items() if within(other, keys) and origin != DEFAULT)
    return f"{dotted(_shown_keys(keys, leaves)) or repr('')} ({next(origins, DEFAULT)})"


def _shown_keys(keys: Keys, leaves: Leaves) -> Keys:
    """A path as it may be named: what was meant to be a secret may stand in it.

    In `{password: a, b}` the b is a key, without a value.
    """
    is_bare = keys in leaves and leaves[keys][0] is None
    if is_bare and any(other[:-1] == keys[:-1] and is_secret(other[-1]) for other in leaves if other != keys):
        return (*map(shown_key, keys[:-1]), HIDDEN)
    return tuple(map(shown_key, keys))


def _shown(keys: Keys, leaves: Leaves) -> str:
    if keys not in leaves:
        return "a mapping"
    return HIDDEN if is_secret(keys[-1]) else json.dumps(without_secrets(leaves[keys][0]), default=str)
