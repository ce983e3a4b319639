"""Cases with a scope, with stored rows and sources read by key, as they are where tables are large."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_aggregates.compute.lookups import LOOKED_UP
from activity_aggregates.store.targets import ACTIVITY_USER_AGG
from tests.harness.by_key import prefer_keys
from tests.harness.case import read_case
from tests.harness.environment import Environment
from tests.harness.execution import execute

CASES = Path(__file__).parents[1] / "cases"


@pytest.mark.parametrize("name", ["who-left-is-found-by-every-scope", "changed-pairs-from-a-file"])
def test_what_is_read_by_key_is_what_a_scan_would_find(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prefer_keys(monkeypatch)
    made.empty()
    execute(read_case(CASES / f"{name}.yaml"), made, tmp_path)
    looked_up = [record.counts.get(LOOKED_UP + ACTIVITY_USER_AGG.name, 0) for record in made.ledger.recent(20)]
    assert any(looked_up)
