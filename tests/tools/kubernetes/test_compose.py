"""The compose file as the parser of `docker compose config` reads it, and what its containers would start."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jobs.__main__ import command_of, parser_of
from scripts.embedded.paths import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "compose"


@pytest.fixture(scope="module")
def services(kubernetes_tools: Path) -> dict[str, Any]:
    """It checks the schema, names of volumes, and that what is depended on is there."""
    parse: list[str | Path] = [kubernetes_tools / "bin" / "compose-config", "-format", "json", "compose.yaml"]
    parsed = subprocess.run(parse, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    found: dict[str, Any] = json.loads(parsed.stdout)["services"]
    return found


def test_each_container_starts_a_command_that_there_is(services: dict[str, Any]) -> None:
    for name in ("migrate", "job"):
        command, *arguments = services[name]["command"]
        parser_of(command, command_of([command])).parse_args(arguments)
    for name in ("sample", "api"):
        *_, module = services[name]["entrypoint"]
        assert find_spec(module), name


def test_what_it_builds_from_and_mounts_is_there(services: dict[str, Any]) -> None:
    built = [service["build"] for service in services.values() if "build" in service]
    assert {Path(build["context"]) / build["dockerfile"] for build in built} == {
        CHECKOUT / "deploy" / "container" / "Containerfile",
        CHECKOUT / "deploy" / "api" / "Containerfile",
    }
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    folders = {Path(mount["source"]) for mount in mounts if mount["type"] == "bind"}
    assert folders == {CHECKOUT / "conf", CHECKOUT / "scripts"}


def test_each_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    waits = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert waits == {
        "cassandra": set(),
        "migrate": {"cassandra"},
        "sample": {"cassandra"},
        "job": {"migrate", "sample"},
        "api": {"job"},
    }
