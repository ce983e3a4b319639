"""Lines of the log as objects, held to the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs

_SCHEMA = jsonschema_rs.validator_for(json.loads((Path(__file__).parents[2] / "docs" / "log.schema.json").read_text()))


def objects(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Every line as an object that keeps to the schema."""
    return [_valid(json.loads(line)) for line in lines]


def message(line: str) -> str:
    """What a line says, in whichever form."""
    (said,) = objects([line]) if line.startswith("{") else ({"message": line.rstrip("\n")},)
    return str(said["message"])


def _valid(line: Any) -> dict[str, Any]:
    _SCHEMA.validate(line)
    return dict(line)
