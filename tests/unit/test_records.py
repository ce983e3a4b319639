"""Records as the ledger stores them, those of earlier versions among them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from activity_aggregates.store.records import COLUMNS, ERASE, FAILED, RUN, SUCCEEDED, from_columns, to_columns
from tests.harness.records import left_by_a_killed_run

RECORD = replace(
    left_by_a_killed_run(), counts={"written": 3, "newer.activity_agg": 2, "newer.activity_user_agg": 1},
    phases={"start Spark": 4.0, "apply": 1.0}, definitions="d", began_writing=True, unit="contexts",
    settles=frozenset({"r1"}), code_version="1.0",
)  # fmt: skip


def stored(**changes: Any) -> dict[str, Any]:
    """As the driver returns it: naive instants, and null for an empty collection."""
    values = {**to_columns(RECORD), **changes}
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in values.items()
    }


def before(**changes: Any) -> dict[str, Any]:
    """As an earlier version has stored it."""
    return stored(**dict.fromkeys(("definitions", "began_writing", "unit", "settles")), **changes)


def test_what_is_stored_is_read_again() -> None:
    assert list(to_columns(RECORD)) == COLUMNS
    assert from_columns(stored()) == RECORD


def test_the_entries_that_were_newer_are_added_up() -> None:
    assert RECORD.left_newer == 3


@pytest.mark.parametrize(
    ("command", "status", "staged", "wrote"),
    [
        (RUN, FAILED, True, True),
        (RUN, FAILED, False, False),
        (ERASE, FAILED, False, True),
        (ERASE, SUCCEEDED, False, False),
    ],
)
def test_a_run_of_an_earlier_version_has_written_when_its_changes_were_staged(
    command: str, status: str, staged: bool, wrote: bool
) -> None:
    found = from_columns(before(command=command, status=status, staged=staged))
    assert (found.began_writing, found.definitions, found.unit, found.settles) == (wrote, "", "", frozenset())
