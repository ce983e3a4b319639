"""`config show`: the settings as they were resolved, and where each comes from."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("config")

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

import yaml

from activity_aggregates.configuration import Configuration, resolved

EXAMPLES = {
    "config show": "the defaults and what the environment says",
    "config show --conf settings.yaml": "what a command with this file would go by",
    "config show --conf settings.yaml --set lease.ttl=30": "and with this flag",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=["show"], help="print every setting with its origin, secrets masked")


def call(configuration: Configuration, arguments: Namespace) -> int:
    return show(configuration, os.environ)


def show(configuration: Configuration, environ: Mapping[str, str]) -> int:
    """Prints the settings as a conf file, with the origin of each as a comment."""
    print(masked(configuration, environ))
    return 0


def masked(configuration: Configuration, environ: Mapping[str, str]) -> str:
    """The settings as YAML that can be loaded again; secrets are hidden, of a variable only whether it is set."""
    lines: list[tuple[str, str]] = []
    shown: tuple[str, ...] = ()
    for keys, value in resolved(configuration.settings).items():
        for depth, section in enumerate(keys[:-1]):
            if keys[: depth + 1] != shown[: depth + 1]:
                lines.append((f"{'  ' * depth}{section}:", ""))
        shown = keys[:-1]
        comment = configuration.origins.get(".".join(keys), "default")
        if keys[-1].endswith("_env"):
            comment += ", the variable is set" if environ.get(value) else ", the variable is not set"
        lines.append((f"{'  ' * len(shown)}{keys[-1]}: {_flow(value)}", comment))
    width = min(60, max(len(line) for line, _ in lines))
    return "\n".join(f"{line:<{width}}  # {comment}" if comment else line for line, comment in lines)


def _flow(value: Any) -> str:
    """A value on one line.

    >>> _flow("local[*]"), _flow(None), _flow(["a"])
    ("'local[*]'", 'null', '[a]')
    """
    return yaml.safe_dump([value], default_flow_style=True, width=float("inf")).strip()[1:-1]
