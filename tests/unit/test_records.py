"""Records as the ledger stores them, those of earlier versions among them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activity_aggregates.store import records
from activity_aggregates.store.records import (
    APPLYING,
    COLUMNS,
    DRY_RUN,
    ERASE,
    FAILED,
    INTERRUPTED,
    LOST,
    RUN,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    SUPERSEDED,
    from_columns,
    to_columns,
)
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


def test_the_words_of_stored_records_are_those_of_earlier_versions() -> None:
    words = "running applying succeeded dry_run superseded stopped failed interrupted lost"
    assert list(records.STATUSES) == words.split()
    assert records.STATUSES == (
        RUNNING, APPLYING, SUCCEEDED, DRY_RUN, SUPERSEDED, STOPPED, FAILED, INTERRUPTED, LOST,
    )  # fmt: skip
    commands = (RUN, records.INCREMENTAL, records.CHANGED, records.VERIFY, ERASE)
    assert commands == ("run", "run --incremental", "run --changed", "verify", "erase")
    assert (records.UNIT_OF_GROUPS, records.UNIT_OF_CONTEXTS) == ("groups", "contexts")
    assert (*records.KINDS, records.DIFFERING_SUMS) == ("missing", "extra", "different", "differing_sums")


def test_the_write_time_is_the_snapshots_microsecond_and_the_number_of_the_run() -> None:
    assert replace(RECORD, as_of=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), sequence=7).write_time == 1_000_007


@pytest.mark.parametrize(
    "changes", [{"staged": False}, {"began_writing": False}, {"status": RUNNING}, {"command": ERASE}]
)
def test_only_what_is_staged_and_half_written_can_be_resumed(changes: dict[str, Any]) -> None:
    failed = replace(RECORD, staged=True, began_writing=True, status=FAILED)
    assert failed.is_resumable
    assert not replace(failed, **changes).is_resumable


@pytest.mark.parametrize("status", records.STATUSES)
def test_a_run_is_under_way_while_it_computes_and_while_it_writes(status: str) -> None:
    assert replace(RECORD, status=status).is_under_way == (status in (RUNNING, APPLYING))


def test_a_record_begins_without_definitions_and_without_having_written() -> None:
    fresh = left_by_a_killed_run()
    assert (fresh.definitions, fresh.began_writing, fresh.unit, fresh.settles) == ("", False, "", frozenset())
