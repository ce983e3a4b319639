"""What the phases of a run are expected to be."""

from __future__ import annotations

from dataclasses import replace

from activity_aggregates.protocol.usual import OF_EVERYTHING, usual_phases
from activity_aggregates.request.scope import Scope
from activity_aggregates.store.records import DRY_RUN, FAILED, INCREMENTAL, SUCCEEDED
from tests.harness.records import left_by_a_killed_run

RUN = left_by_a_killed_run()
EARLIER = replace(RUN, status=SUCCEEDED, phases={"start Spark": 4.0, "read groups": 2.0, "write": 9.0})


def test_a_run_is_expected_to_go_as_the_newest_one_like_it() -> None:
    failed = replace(EARLIER, status=FAILED, phases={"start Spark": 1.0})
    of_a_scope = replace(EARLIER, scope=Scope(contexts=frozenset({"cb:b1"})), phases={"choose": 1.0})
    incremental = replace(EARLIER, command=INCREMENTAL, phases={"choose": 1.0})
    assert usual_phases([failed, of_a_scope, incremental, EARLIER], RUN, is_dry=False) == EARLIER.phases


def test_a_dry_run_does_not_write_and_may_have_been_the_last_of_its_kind() -> None:
    assert usual_phases([EARLIER], RUN, is_dry=True) == {"start Spark": 4.0, "read groups": 2.0}
    dry = replace(EARLIER, status=DRY_RUN, phases={"start Spark": 3.0})
    assert usual_phases([dry, EARLIER], RUN, is_dry=True) == {"start Spark": 3.0}
    assert usual_phases([dry, EARLIER], RUN, is_dry=False) == EARLIER.phases


def test_without_one_like_it_only_a_run_of_everything_is_known() -> None:
    assert list(usual_phases([], RUN, is_dry=False)) == list(OF_EVERYTHING)
    assert usual_phases([EARLIER], replace(RUN, command=INCREMENTAL), is_dry=False) == {}
