"""The ledger of a target keyspace whose schema was checked, and runs in it by what a caller calls them."""

from __future__ import annotations

from cassandra.cluster import Session

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.store.ledger import Ledger, RunRecord
from activity_aggregates.store.migrations import check_applied

LAST = "last"  # in place of a run's id: the newest


def open_ledger(session: Session, chosen: settings.Settings) -> Ledger:
    """The ledger; raises CheckFailed where its table is not there yet."""
    check_applied(session, chosen)
    target = chosen.target
    return Ledger(session, target.keyspace, target.tables["aggregate_runs"])


def named_run(ledger: Ledger, run_id: str) -> RunRecord:
    """The run of this id, or the one that started last for `last`."""
    run = ledger.latest() if run_id == LAST else ledger.get(run_id)
    if run is None and run_id == LAST:
        raise BadRequest("last names nothing, the ledger is empty: start one with `activity-aggregates run`")
    if run is None:
        raise BadRequest(f"{run_id} is not in the ledger: list its runs with `activity-aggregates runs`")
    return run
