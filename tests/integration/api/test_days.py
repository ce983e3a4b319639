"""The days of an activity: which are told, in what order, and how many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_aggregates.api.answering.activities import context_aggregates
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.bodies import ContextQuery
from activity_aggregates.api.deployment import deployment
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.decoding import leaving_maps
from activity_aggregates.api.stored.statements import MOST_DAYS, aggregate_tables, statements
from activity_aggregates.api.stored.store import Store
from activity_aggregates.configuration import load
from tests.harness.environment import Environment
from tests.harness.roles import API, signed_in_as
from tests.integration.api.conftest import RUN_MS

MANY = 450  # days of another context
SERVICE = Caller("", is_service=True)


class Days:
    """Answers about days, as a process gives them."""

    def __init__(self, world: Environment, folder: Path) -> None:
        with signed_in_as(API):
            given = load(world.configure({}, folder), os.environ, {}).settings
            deployed = deployment(given, os.environ, insecure_local=True)
        handler = leaving_maps(aggregate_tables(given.target), None)
        reads = statements(given.sources, given.target, [])
        self.listing = deployed.listing
        self.store = Store(deployed.connection, reads, {}, 30, deployed.erased, 60, 1000, handler)

    def of(self, context: str = "cb:days", **query: object) -> list[dict[str, object]]:
        asked = {"activityId": "c1", "activityType": "Course", "contextId": context, **query}
        reads = self.store.reads(float("inf"))
        body = ContextQuery.model_validate_json(json.dumps(asked))
        answer = context_aggregates(reads, Metadata(0), self.listing, SERVICE, body)
        days: list[dict[str, object]] = answer["activity"]["days"]
        return days


@pytest.fixture(scope="module")
def days(world: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    insert = world.session.prepare(
        f"UPDATE {world.targets}.activity_day_agg USING TIMESTAMP 1 SET agg = agg + ?, "
        "agg_last_updated = agg_last_updated + ? "
        "WHERE activity_type = 'Course' AND activity_id = 'c1' AND context_id = ? AND day = ?"
    )
    for day, count in (("0001-01-01", 1.0), ("2026-01-01", 2.0), ("2026-01-31", 3.0)):
        world.session.execute(insert, [{"enrolledCount": count}, {"enrolledCount": RUN_MS}, "cb:days", day])
    for number in range(MANY):
        world.session.execute(insert, [{"enrolledCount": 1.0}, {}, "cb:many", number + 2**31])
    found = Days(world, tmp_path_factory.mktemp("days"))
    found.store.open()
    yield found
    found.store.close()


def test_days_are_told_oldest_first_with_their_metrics(days: Days) -> None:
    first, *_, last = days.of()
    assert (first["day"], last["day"]) == ("0001-01-01", "2026-01-31")
    assert last["agg"] == [{"metric": "enrolledCount", "value": 3, "lastUpdatedOn": RUN_MS}]


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ({"from": "2026-01-01", "to": "2026-01-31"}, ["2026-01-01", "2026-01-31"]),
        ({"from": "2026-01-01", "to": "2026-01-30"}, ["2026-01-01"]),
        ({"from": "2026-01-31"}, ["2026-01-31"]),
        ({"to": "0001-01-01"}, ["0001-01-01"]),
    ],
)
def test_both_ends_are_among_them(days: Days, between: dict[str, str], expected: list[str]) -> None:
    assert [day["day"] for day in days.of(**between)] == expected


def test_of_more_days_than_may_be_asked_for_the_newest_are_told(days: Days) -> None:
    told = days.of("cb:many")
    assert len(told) == MOST_DAYS
    assert told[0]["day"] == "1970-02-20"
