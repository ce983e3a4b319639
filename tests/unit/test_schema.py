"""The schema of conf files against files that are right, and mistakes that an editor can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from activity_aggregates.layers import default_layer
from activity_aggregates.schema import settings_schema

CONF = Path(__file__).parents[2] / "conf"
SCHEMA = settings_schema()
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)


def described(*keys: str) -> dict[str, Any]:
    """What the schema says of a setting of a section."""
    section, *below = keys
    found: dict[str, Any] = SCHEMA["properties"][section]
    for key in below:
        found = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]]["properties"][key]
    return found


@pytest.mark.parametrize("path", sorted([*CONF.glob("*.yaml"), *(CONF / "platforms").glob("*.yaml")]), ids=str)
def test_our_own_files_are_right_by_it(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("limit: {}", False),
        ("limits: {refused_shre: 0.5}", False),
        ("limits: {refused_share: 20}", False),
        ("limits: {refused_share: 0.5}", True),
        ("cassandra: {port: '9042'}", False),
        ("metrics: {completion: stuck}", False),
        ("target: {tables: {activity_ag: x}}", False),
        ("target: {tables: {activity_agg: x}}", True),
        ("sources: {attempts: null}", True),
        ("sources: {enrolments: null}", False),
        ("sources: {enrolments: {columns: {active: is_active}}}", True),
        ("api: {member_scores: {roles: [admin]}}", True),
        ("api: {member_scores: {}}", False),
        ("{}", True),
    ],
)
def test_it_tells_right_from_wrong(text: str, is_right: bool) -> None:
    assert VALIDATOR.is_valid(yaml.safe_load(text)) == is_right


def test_a_setting_has_its_default_and_what_the_defaults_say_of_it() -> None:
    assert described("limits", "refused_share") == {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.2,
        "description": "of all enrolments: those read, or those of the last full run if more",
    }  # fmt: skip
    assert described("api", "profile")["default"] == {"name": ["firstname", "lastname"]}


def test_every_setting_is_in_it() -> None:
    """But the keys of mappings, which are the user's own."""
    mappings = {("spark", "conf"), ("api", "profile"), ("events", "options"), ("prometheus", "labels")}
    closed = [keys for keys in default_layer() if keys[0] not in ("sources", "metadata", "target")]
    assert [keys for keys in closed if keys[:2] not in mappings and "default" not in described(*keys)] == []
