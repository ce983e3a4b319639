"""Configurations, backfills and files of ids, as somebody in a hurry writes them."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import yaml

from activity_aggregates.configuration import flag_values, load
from activity_aggregates.errors import BadRequest
from activity_aggregates.layers import CONTACT_POINTS_VARIABLE, ENVIRONMENT_PREFIX, PORT_VARIABLE, default_layer
from activity_aggregates.request.backfills import STATUSES, read_backfill
from activity_aggregates.request.pairs import read_pairs
from activity_aggregates.request.scope import users_file
from activity_aggregates.texts import require_text
from jobs.config import masked
from tests.fuzz.strange import as_bytes, changed_text, changed_tree, text, value

SETTINGS = sorted(default_layer())
CONFIGURATION = {
    "cassandra": {"contact_points": ["db1", "db2"], "port": 9042, "tls": {"enabled": True, "ca_file": "ca.pem"}},
    "sources": {"timespent": {"format": "parquet", "path": "s3a://b/t", "options": {"mergeSchema": "true"}}},
    "metrics": {"families": ["completion", "dates"], "course_types": ["Course"], "time_zone": "Asia/Kolkata"},
    "limits": {"refused_share": 0.5, "retracted_floor": 10, "clock_skew": 5},
    "spark": {"conf": {"spark.ui.enabled": "false"}},
    "prometheus": {"labels": {"site": "one"}},
    "lease": {"ttl": 30},
}
BACKFILL = {
    "reason": "scores were late", "owner": "an operator", "status": "approved", "rows_per_second": 500,
    "scope": {"activities": ["Course:c1"], "contexts": ["cb:b1"], "users": ["u1"]},
    "window": {"from": "2026-01-01", "to": "2026-01-31T06:00:00Z"},
}  # fmt: skip


def configuration(chance: Random, folder: Path) -> str:
    """Settings of a file, variables and flags are taken as a whole, shown and shown again, or refused."""
    conf = _written(folder / "settings.yaml", _yaml(chance, CONFIGURATION), chance)
    try:
        flags = flag_values(_assignments(chance))
        found = load(conf if chance.random() < 0.8 else None, _variables(chance), flags)
    except BadRequest as error:
        return refused(error)
    shown = masked(found, {})
    shown.encode()
    assert set(yaml.safe_load(shown)) == {keys[0] for keys in SETTINGS}
    return ""


def backfill(chance: Random, folder: Path) -> str:
    """A record is read, with a scope and a digest, or refused with every mistake in it."""
    try:
        found = read_backfill(_written(folder / "backfill.yaml", _yaml(chance, BACKFILL), chance))
    except BadRequest as error:
        return refused(error)
    assert not found.scope.is_full
    assert found.status in STATUSES
    assert len(found.digest) == 8
    found.scope.sealed(b"a secret of sixteen").to_json().encode()
    return ""


def ids(chance: Random, folder: Path) -> str:
    """A file of learners or of pairs names some, none of them blank, or is refused."""
    lines = [
        chance.choice(["u1", "u2,c1,b1", "u1, c1 ,b1", "# note", "user_id,course_id,batch_id", text(chance)])
        for _ in range(5)
    ]
    content = chance.choice(["\n", "\r\n", "\r", "\n\n"]).join(lines)
    file = _written(folder / "ids.txt", changed_text(chance, content) if chance.random() < 0.5 else content, chance)
    try:
        if chance.random() < 0.5:
            named = users_file(file)
        else:
            named = [part for pair in read_pairs(file) for part in (pair.user_id, pair.course_id, pair.batch_id)]
    except BadRequest as error:
        return refused(error)
    assert named
    assert all(each.strip() == each != "" and each.encode() for each in named)
    return ""


def refused(error: BadRequest) -> str:
    """Why, in one word; what is said is a text with sentences that name the next step."""
    sentences = str(error).encode().decode().split("\n")
    assert all(sentence.strip() for sentence in sentences), sentences
    return "refused"


def _yaml(chance: Random, right: Any) -> str:
    tree = right
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        tree = changed_tree(chance, tree)
    content = yaml.safe_dump(tree, allow_unicode=True, default_flow_style=chance.choice([None, True, False]))
    return changed_text(chance, content) if chance.random() < 0.5 else content


def _assignments(chance: Random) -> list[str]:
    """What `--set` is given, if at all; `main` lets no argument in that is no text."""
    if chance.random() < 0.7:
        return []
    key = ".".join(chance.choice(SETTINGS)) if chance.random() < 0.7 else text(chance)
    given = f"{key}={value(chance)}"
    given = changed_text(chance, given) if chance.random() < 0.3 else given
    require_text(given, "the argument")
    return [given]


def _variables(chance: Random) -> dict[str, str]:
    """Variables as a process gets them: bytes, which may be no text."""
    if chance.random() < 0.6:
        return {}
    name = ENVIRONMENT_PREFIX + "__".join(chance.choice(SETTINGS)).upper()
    names = [name, CONTACT_POINTS_VARIABLE, PORT_VARIABLE, ENVIRONMENT_PREFIX, f"{name}__X", changed_text(chance, name)]
    return {chance.choice(names): os.fsdecode(as_bytes(chance, str(value(chance))))}


def _written(file: Path, content: str, chance: Random) -> Path:
    file.write_bytes(as_bytes(chance, content))
    return file
