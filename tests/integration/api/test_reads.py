"""How many reads a request makes, of what, and how many at once: with the real statements, on a session that counts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cassandra.cluster import ResponseFuture, Session

from activity_aggregates.api.answering.earlier import earlier_activity_aggregates
from activity_aggregates.api.answering.groups import activity_aggregates, group_aggregates
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.shapes import Entry
from activity_aggregates.api.bodies import ActivityQuery, EarlierActivityQuery, GroupQuery
from activity_aggregates.api.deployment import Deployment, deployment
from activity_aggregates.api.edge.refusals import FORBIDDEN, TOO_MANY_READS, TOO_SLOW, Refused
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.decoding import leaving_maps
from activity_aggregates.api.stored.reads import Opened, Reads
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.api.stored.store import Store
from activity_aggregates.configuration import load
from tests.harness.environment import Environment
from tests.harness.roles import API, signed_in_as
from tests.integration.api.conftest import member

MEMBERS = 2000
SPARSE = {"groupId": "sparse", "activityId": "c1", "activityType": "Course"}


@dataclass
class Counting:
    """A session that notes what is read, and how many reads had not come back when one was sent."""

    session: Session
    names: dict[Any, Read]
    sent: list[Read] = field(default_factory=list)
    under_way: list[ResponseFuture] = field(default_factory=list)
    most: int = 0

    def execute_async(self, bound: Any, **options: Any) -> ResponseFuture:
        self.under_way = [future for future in self.under_way if not future._event.is_set()]
        self.most = max(self.most, len(self.under_way) + 1)
        self.sent.append(self.names[bound.prepared_statement])
        started = self.session.execute_async(bound, **options)
        self.under_way.append(started)
        return started


@dataclass(frozen=True)
class Desk:
    """What a process answers with, and requests of it that are counted."""

    deployed: Deployment
    opened: Opened
    session: Session

    def reads(self, most: int = 1000, seconds: float = 60) -> tuple[Reads, Counting]:
        counting = Counting(self.session, {statement: read for read, statement in self.opened.prepared.items()})
        opened = Opened(
            counting, self.opened.profile, self.opened.prepared, self.opened.erased, self.opened.read_timeout
        )
        return Reads(opened, time.monotonic() + seconds, most), counting


@pytest.fixture(scope="module")
def desk(world: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Among the members of the group `sparse` two are active, the first and the last."""
    load_sparse(world)
    folder: Path = tmp_path_factory.mktemp("reads")
    users = {"format": "cassandra", "keyspace": world.sources, "table": "user"}
    conf = world.configure({"sources": {"users": users}}, folder)
    with signed_in_as(API):
        deployed = deployment(load(conf, os.environ, {}).settings, os.environ, insecure_local=True)
    handler = leaving_maps(deployed.aggregate_tables, deployed.users_table)
    statements = deployed.statements, deployed.fallbacks
    store = Store(deployed.connection, *statements, 30, deployed.erased, 60, 1000, handler)
    store.open()
    opened = store.reads(0)._opened
    yield Desk(deployed, opened, opened.session)
    store.close()


def load_sparse(world: Environment) -> None:
    active = {0, MEMBERS - 1}
    rows = [
        member("sparse", f"s{number:05d}", status="active" if number in active else "inactive")
        for number in range(MEMBERS)
    ]
    world.store.load("group", [{"id": "sparse", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    world.store.load("group_member", rows)


def test_a_page_of_one_in_a_group_of_those_who_have_left_takes_few_reads(desk: Desk) -> None:
    reads, counting = desk.reads()
    query = ActivityQuery.model_validate({**SPARSE, "limit": 1})
    answer = activity_aggregates(reads, Metadata(0), desk.deployed.listing, Caller("", True), query)
    assert [listed["id"] for listed in answer["activity"]["members"]] == ["s00000"]
    assert counting.sent.count(Read.MEMBERS) == 3  # of two rows, of a thousand, of the rest


OUTSIDER = Caller("u9", is_service=False)
ASKED: list[Callable[[Reads, Desk], Entry]] = [
    lambda reads, desk: group_aggregates(
        reads, Metadata(0), desk.deployed.listing, OUTSIDER, GroupQuery(groupId="big")
    ),
    lambda reads, desk: activity_aggregates(
        reads,
        Metadata(0),
        desk.deployed.listing,
        OUTSIDER,
        ActivityQuery(groupId="big", activityId="c1", activityType="Course"),
    ),
    lambda reads, desk: earlier_activity_aggregates(
        reads,
        desk.deployed.listing,
        OUTSIDER,
        EarlierActivityQuery(groupId="big", activityId="c1", activityType="Course"),
    ),
]


@pytest.mark.parametrize("ask", ASKED, ids=["group", "activity", "earlier"])
def test_for_an_outsider_not_even_the_group_is_read(desk: Desk, ask: Callable[[Reads, Desk], Entry]) -> None:
    reads, counting = desk.reads()
    with pytest.raises(Refused) as caught:
        ask(reads, desk)
    assert caught.value.refusal == FORBIDDEN
    assert counting.sent == [Read.MEMBER]


@pytest.mark.parametrize("most", [1, 4, 1000])
def test_reads_under_way_are_bounded(desk: Desk, most: int) -> None:
    reads, counting = desk.reads(most)
    query = EarlierActivityQuery(groupId="big", activityId="c1", activityType="Course")
    answer = earlier_activity_aggregates(reads, desk.deployed.listing, Caller("", True), query)
    assert len(answer["members"]) == counting.sent.count(Read.PROFILE) == 150
    assert counting.most <= min(most, 70)


def test_what_a_group_does_not_list_is_not_read_for_any_number_of_members(desk: Desk) -> None:
    reads, counting = desk.reads(most=299)
    query = EarlierActivityQuery(groupId="big", activityId="unlisted", activityType="Course")
    with pytest.raises(Refused) as caught:
        earlier_activity_aggregates(reads, desk.deployed.listing, Caller("", True), query)
    assert caught.value.refusal == TOO_MANY_READS
    assert Read.LEARNER not in counting.sent


def test_no_read_is_sent_after_the_deadline(desk: Desk) -> None:
    reads, counting = desk.reads(seconds=0)
    with pytest.raises(Refused) as caught:
        ASKED[0](reads, desk)
    assert (caught.value.refusal, counting.sent) == (TOO_SLOW, [])
