"""`config`: the settings as they were resolved and where each comes from, or their schema for an editor."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("config")

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

import yaml

from activity_aggregates.configuration import Configuration, resolved
from activity_aggregates.layers import DEFAULT, dotted, tree_of
from activity_aggregates.schema import settings_schema

EXAMPLES = {
    "config show --conf settings.yaml": "what a command with this file would go by",
    "config show --conf base.yaml --conf north.yaml": "with two, of which the second wins",
    "config show --conf settings.yaml --json": "for a machine: settings, origins, which variables are set",
    "config schema > settings.schema.json": "the JSON schema of such a file, for an editor",
}
_VARIABLE = "_env"  # how a setting ends that names a variable with a secret


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=["show", "schema"], help="every setting with its origin, secrets masked; or the schema of all"
    )
    parser.add_argument("--json", action="store_true", help="show as JSON; the schema is JSON anyway")


def call(configuration: Configuration, arguments: Namespace) -> int:
    if arguments.action == "schema":
        print(as_json(settings_schema()))
    elif arguments.json:
        print(as_json(plain(configuration, os.environ)))
    else:
        print(masked(configuration, os.environ))
    return 0


def as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)


def plain(configuration: Configuration, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings, secrets hidden, by dotted key the origin of each, and of variables for secrets which are set."""
    found = resolved(configuration.settings)
    variables = [value for keys, value in found.items() if keys[-1].endswith(_VARIABLE)]
    return {
        "settings": tree_of(found.items()),
        "origins": {dotted(keys): configuration.origins.get(dotted(keys), DEFAULT) for keys in found},
        "variables": {name: bool(environ.get(name)) for name in variables},
        "digest": configuration.digest,
    }


def masked(configuration: Configuration, environ: Mapping[str, str]) -> str:
    """The settings as YAML that can be loaded again; secrets are hidden, of a variable only whether it is set."""
    lines: list[tuple[str, str]] = []
    shown: tuple[str, ...] = ()
    for keys, value in resolved(configuration.settings).items():
        for depth, section in enumerate(keys[:-1]):
            if keys[: depth + 1] != shown[: depth + 1]:
                lines.append((f"{'  ' * depth}{_flow(section)}:", ""))
        shown = keys[:-1]
        comment = configuration.origins.get(dotted(keys), DEFAULT)
        if keys[-1].endswith(_VARIABLE):
            comment += ", the variable is set" if environ.get(value) else ", the variable is not set"
        lines.append((f"{'  ' * len(shown)}{_flow(keys[-1])}: {_flow(value)}", comment))
    width = min(60, max(len(line) for line, _ in lines))
    return "\n".join(f"{line:<{width}}  # {comment}" if comment else line for line, comment in lines)


def _flow(value: Any) -> str:
    """A value on one line.

    >>> _flow("local[*]"), _flow(None), _flow(["a"])
    ("'local[*]'", 'null', '[a]')
    """
    return yaml.safe_dump([value], default_flow_style=True, width=float("inf")).strip()[1:-1]
