"""The JSON schema of a conf file, for editors: the types of the settings, with the defaults and their comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from pydantic import TypeAdapter

from activity_aggregates.layers import Keys, default_layer, tree_of, within
from activity_aggregates.settings import MemberRoles, Settings

SCHEMA = "settings.schema.json"  # in conf/
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CLOSED = (("target", "tables"),)  # mappings by type, whose keys are those of the defaults


def settings_schema() -> dict[str, Any]:
    """What a conf file may say: nothing has to be said, and nothing may that is not a setting.

    It is as strict as an editor can be; what depends on several settings at once only the command checks.
    """
    schema = TypeAdapter(Settings).json_schema()
    definitions = schema["$defs"]
    defaults = {keys: value for keys, (value, _) in default_layer().items()}
    _Description(definitions, defaults, dict(_comments())).add_to(schema, ())
    for definition in (schema, *definitions.values()):
        for described in definition["properties"].values():
            described.pop("title", None)
    return {"$schema": _DIALECT, **schema, "title": "Settings of activity-aggregates"}


@dataclass(frozen=True)
class _Description:
    """What is added to the types: the defaults, and what their file says of them."""

    definitions: Mapping[str, dict[str, Any]]
    defaults: Mapping[Keys, Any]
    comments: Mapping[Keys, str]

    def add_to(self, section: dict[str, Any], at: Keys) -> None:
        """Describe the settings of a section, and of those below it."""
        section.pop("required", None)
        is_shared = len(at) > 1 and at[0] == "sources"  # one definition is that of all sources
        for key, described in section.get("properties", {}).items():
            keys = (*at, key)
            if keys in self.comments and not is_shared:
                described["description"] = self.comments[keys]
            if keys in _CLOSED:
                kind = described.pop("additionalProperties")
                names = {name: kind | {"default": value} for name, value in self._default(keys).items()}
                described |= {"properties": names, "additionalProperties": False}
            elif (below := self._section_of(described)) is not None:
                self.add_to(below, keys)
            elif not is_shared:
                described["default"] = self._default(keys)

    def _section_of(self, described: dict[str, Any]) -> dict[str, Any] | None:
        """The section that a key stands for; None for a value."""
        for kind in (described, *described.get("anyOf", ())):
            name = kind.get("$ref", "").rpartition("/")[2]
            if name and name != MemberRoles.__name__:
                return self.definitions[name]
        return None

    def _default(self, keys: Keys) -> Any:
        """A default, a mapping as a whole."""
        if keys in self.defaults:
            return self.defaults[keys]
        return tree_of((each[len(keys) :], value) for each, value in self.defaults.items() if within(each, keys))


def _comments() -> Iterator[tuple[Keys, str]]:
    """What stands behind a setting in the defaults, on its line."""
    text = (files("conf") / "default.yaml").read_text("utf-8")
    lines = text.splitlines()
    for keys, end in _ends(yaml.compose(text, yaml.SafeLoader)):
        rest = lines[end.line][end.column :].strip() if end.line < len(lines) else ""
        if rest.startswith("# "):
            yield keys, rest.removeprefix("# ")


def _ends(node: yaml.Node | None, at: Keys = ()) -> Iterator[tuple[Keys, yaml.Mark]]:
    """Every value that stands on one line with its key, and where it ends."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        keys = (*at, key.value)
        if value.end_mark.line == key.start_mark.line:
            yield keys, value.end_mark
        yield from _ends(value, keys)
