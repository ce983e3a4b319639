"""Metrics of the runs, by command: over records, without a store."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.watching.prometheus import State, latest_by_command, registry, write_metrics
from activity_aggregates.watching.textfile import enough
from tests.harness.records import left_by_a_killed_run

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
FULL, INCREMENTAL = "run", "run --incremental"


def run(command: str, hour: int, status: str, **fields: Any) -> RunRecord:
    """A run that began at an hour of the day and took a minute."""
    began = MIDNIGHT + timedelta(hours=hour)
    record = replace(left_by_a_killed_run(), command=command, status=status, as_of=began, started_at=began)
    return replace(record, run_id=f"r{hour}", finished_at=began + timedelta(minutes=1), **fields)


def samples(*runs: RunRecord, holder: RunRecord | None = None) -> dict[tuple[str, ...], float]:
    """Values at noon by name and labels, that of the target aside, from runs in the order of their starts."""
    full = next((run for run in runs[::-1] if run.is_full_success), None)
    state = State(latest_by_command(runs[::-1]), full, holder)
    found = registry(state, {"target": "aggregates"}, MIDNIGHT + timedelta(hours=12))
    return {
        (sample.name.removeprefix("activity_aggregates_"), *list(sample.labels.values())[1:]): sample.value
        for family in found.collect()
        for sample in family.samples
    }


def test_a_full_run_that_failed_is_not_overlooked_because_an_incremental_one_succeeded() -> None:
    found = samples(run(FULL, 1, "succeeded"), run(FULL, 2, "failed"), run(INCREMENTAL, 3, "succeeded"))
    assert found["last_run_status", FULL, "failed"] == 1
    assert found["last_run_status", INCREMENTAL, "succeeded"] == 1
    assert found["last_success_as_of_timestamp_seconds", FULL] == (MIDNIGHT + timedelta(hours=1)).timestamp()
    assert found["freshness_lag_seconds", FULL] == 11 * 3600
    assert found["freshness_lag_seconds", INCREMENTAL] == 9 * 3600


def test_a_command_without_a_success_has_no_time_of_one() -> None:
    found = samples(run(FULL, 1, "stopped"))
    assert found["last_run_status", FULL, "stopped"] == 1
    assert ("last_success_timestamp_seconds", FULL) not in found


def test_runs_of_a_scope_dry_runs_and_runs_under_way_say_nothing_of_a_schedule() -> None:
    of_a_context = run(FULL, 2, "failed", scope=Scope(contexts=frozenset({"cb:b1"})))
    found = samples(run(FULL, 1, "succeeded"), of_a_context, run(FULL, 3, "dry_run"), run(FULL, 4, "applying"))
    assert found["last_run_status", FULL, "succeeded"] == 1
    assert found["last_run_timestamp_seconds", FULL] == (MIDNIGHT + timedelta(hours=1)).timestamp()


def test_runs_of_listed_pairs_and_erases_are_commands_of_their_own() -> None:
    of_learners = Scope(users=frozenset({"u1"}))
    found = samples(
        run("run --changed", 1, "succeeded", scope=of_learners), run("erase", 2, "failed", scope=of_learners)
    )
    assert found["last_run_status", "run --changed", "succeeded"] == 1
    assert found["last_run_status", "erase", "failed"] == 1


def test_a_verification_and_the_units_of_any_backfill_have_a_label_each() -> None:
    unit = run("backfill 2026-01-15-scores@1a2b", 5, "succeeded", scope=Scope(contexts=frozenset({"cb:b1"})))
    found = samples(run("verify", 4, "dry_run"), unit)
    assert found["last_success_timestamp_seconds", "verify"] == (MIDNIGHT + timedelta(hours=4, minutes=1)).timestamp()
    assert found["last_run_status", "backfill", "succeeded"] == 1


def test_the_last_full_success_is_told_apart_from_increments_and_may_be_a_repair() -> None:
    increment = run(INCREMENTAL, 3, "succeeded")
    assert (
        samples(run(FULL, 1, "succeeded"), run(FULL, 2, "failed"), increment)[
            "last_full_success_as_of_timestamp_seconds",
        ]
        == (MIDNIGHT + timedelta(hours=1)).timestamp()
    )
    assert (
        samples(run("verify", 2, "succeeded"), increment)["last_full_success_timestamp_seconds",]
        == (MIDNIGHT + timedelta(hours=2, minutes=1)).timestamp()
    )
    assert ("last_full_success_timestamp_seconds",) not in samples(increment)


def test_a_ledger_without_runs_tells_that_it_was_looked_at() -> None:
    assert samples() == {("written_timestamp_seconds",): (MIDNIGHT + timedelta(hours=12)).timestamp()}


def test_differences_stand_until_a_verification_finds_none_or_repairs_them() -> None:
    counts = {"missing.activity_agg": 0, "different.activity_agg": 2, "written.activity_agg": 2}
    found = run("verify", 1, "dry_run", counts=counts)
    which = "differing_rows", "verify", "activity_agg", "different"
    assert samples(found)[which] == 2
    assert samples(found, run("verify", 2, "failed"))[which] == 2
    assert samples(found, run("verify", 2, "succeeded", counts=counts))[which] == 0


def test_a_repair_whose_entries_a_later_writer_holds_leaves_differences() -> None:
    counts = {"different.activity_agg": 2, "written.activity_agg": 2, "held": 3}
    found = samples(run("verify", 1, "succeeded", counts=counts))
    assert {name[1:]: rows for name, rows in found.items() if name[0] == "differing_rows"} == {
        ("verify", "", "held"): 3
    }


def test_differences_are_gone_after_a_full_success_or_a_repair_that_is_later_by_its_write_time() -> None:
    verified = run("verify", 1, "dry_run", counts={"extra.activity_agg": 1})
    published = run("verify", 2, "dry_run", counts={"differing_sums": 5})
    rows, sums = ("differing_rows", "verify", "activity_agg", "extra"), ("differing_sums", "verify --published")
    for later in (run(FULL, 3, "succeeded"), run("verify", 3, "succeeded", counts={"extra.activity_agg": 1})):
        found = samples(verified, published, later)
        assert (found[rows], found[sums]) == (0, 0)
    of_an_older_snapshot = replace(run(FULL, 3, "succeeded"), as_of=MIDNIGHT)
    for other in (of_an_older_snapshot, run(FULL, 3, "failed"), run(INCREMENTAL, 3, "succeeded")):
        found = samples(verified, published, other)
        assert (found[rows], found[sums]) == (1, 5)


def test_what_a_later_writer_holds_stays_a_difference_until_a_full_run_gets_through() -> None:
    verified = run("verify", 1, "dry_run", counts={"differing_sums": 5})
    assert samples(verified, run(FULL, 2, "succeeded", counts={"held": 1}))["differing_sums", "verify --published"] == 5
    repaired = run("verify", 1, "succeeded", counts={"held": 3})
    which = "differing_rows", "verify", "", "held"
    assert samples(repaired, run(FULL, 2, "succeeded", counts={"newer.activity_agg": 3}))[which] == 3
    assert samples(repaired, run(FULL, 2, "succeeded", counts={"newer.activity_agg": 0}))[which] == 0


def test_a_look_at_a_sample_is_no_verification_and_takes_no_difference_back() -> None:
    sampled = run("verify", 2, "dry_run", counts={"extra.activity_agg": 0, "sampled": 50_000})
    found = samples(run("verify", 1, "dry_run", counts={"extra.activity_agg": 1}), sampled)
    assert found["differing_rows", "verify", "activity_agg", "extra"] == 1
    assert found["last_run_timestamp_seconds", "verify"] == (MIDNIGHT + timedelta(hours=1)).timestamp()


def test_a_look_at_what_is_published_does_not_hide_what_a_verification_has_found() -> None:
    published = run("verify", 2, "dry_run", counts={"differing_sums": 4})
    found = samples(run("verify", 1, "dry_run", counts={"extra.activity_agg": 1}), published)
    assert found["differing_rows", "verify", "activity_agg", "extra"] == 1
    assert found["differing_sums", "verify --published"] == 4


def test_the_run_that_holds_the_lease_is_told_with_its_start() -> None:
    began = (MIDNIGHT + timedelta(hours=2)).timestamp()
    found = samples(holder=run("backfill 2026-01-15-scores@1a2b", 2, "applying"))
    assert found["lease_since_timestamp_seconds", "backfill 2026-01-15-scores"] == began


def test_the_target_and_the_labels_of_the_deployment_stand_at_every_metric() -> None:
    counts = {"read.enrolments": 3, "refused.missing_key": 1, "changed.activity_agg": 2, "written.activity_agg": 2}
    record = run(FULL, 1, "succeeded", counts=counts, phases={"start Spark": 2.0})
    labels = {"target": "aggregates", "deployment": "north"}
    state = State(latest_by_command([record]), record, record)
    families = list(registry(state, labels, MIDNIGHT).collect())
    assert {name for family in families for name in (family.name,)} >= {
        f"activity_aggregates_{name}"
        for name in (
            "last_success_timestamp_seconds", "last_run_status", "last_run_phase_seconds", "last_run_read_rows",
            "last_run_refused_rows", "last_run_written_rows", "last_run_retracted_rows",
        )
    }  # fmt: skip
    for family in families:
        for sample in family.samples:
            assert labels.items() <= sample.labels.items(), sample


def test_a_verification_is_not_overlooked_because_runs_of_other_commands_are_many() -> None:
    verified, older = run("verify", 3, "dry_run"), run("verify", 0, "dry_run")
    many = [run("run --changed", 9, "succeeded") for _ in range(2500)]
    schedule = [run(INCREMENTAL, 8, "succeeded"), run("verify", 7, "failed"), run(FULL, 6, "succeeded")]
    runs = [*many, *schedule, run(FULL, 5, "failed"), verified, older]
    found = enough(runs, MIDNIGHT)
    assert found == [*many[:2000], *schedule, verified]
    assert latest_by_command(found) == latest_by_command(runs)


def test_no_more_than_the_newest_runs_are_read_where_they_tell_of_the_whole_schedule() -> None:
    schedule = [run(FULL, 1, "succeeded"), run(INCREMENTAL, 1, "succeeded"), run("verify", 1, "dry_run")]
    runs = iter([*schedule, *[run("backfill x@1", 1, "succeeded")] * 3000])
    assert len(enough(runs, MIDNIGHT)) == 2000
    assert len(list(runs)) == 1002


def test_the_newest_runs_are_told_of_however_old_they_are_and_others_are_not() -> None:
    runs = [run(INCREMENTAL, 2, "succeeded") for _ in range(2000)]
    assert enough([*runs, run(FULL, 1, "succeeded")], since=MIDNIGHT + timedelta(days=9)) == runs


def test_a_device_is_not_replaced_and_of_a_link_what_it_leads_to(tmp_path: Path) -> None:
    """`/dev/stdout` would be a file from then on."""
    place, file = tmp_path / "link.prom", tmp_path / "real.prom"
    place.symlink_to(file)
    write_metrics(place, State({}, None, None), {"target": "aggregates"}, MIDNIGHT)
    assert place.is_symlink()
    assert "activity_aggregates" in file.read_text()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRequest, match="pipe, which is there and is not a file: name one"):
        write_metrics(tmp_path / "pipe", State({}, None, None), {"target": "aggregates"}, MIDNIGHT)
