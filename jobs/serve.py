"""`serve`: the read API."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("serve")

import os
from argparse import ArgumentParser, Namespace

from activity_aggregates.configuration import Configuration

EXAMPLES = {
    "serve --conf settings.yaml": "on api.host and api.port",
    "serve --conf settings.yaml --set api.port=8081 --set api.workers=4": "elsewhere, in four processes",
    "serve --conf settings.yaml --insecure-local": "for a look on this machine, without tokens",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--insecure-local", action="store_true", help="check no tokens; only on a loopback address")


def call(configuration: Configuration, arguments: Namespace) -> int:
    from activity_aggregates.api.serve import serve

    return serve(configuration, os.environ, arguments.insecure_local)
