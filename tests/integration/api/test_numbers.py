"""Numbers as clients read them, on every route: whole ones have no decimal point and no exponent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api, result

CONTEXT, LEARNER = "/data/activity/agg", "/data/activity/user/agg"
OF_42 = {"activityId": "42", "activityType": "Course"}
ASKED: dict[str, dict[str, Any]] = {
    GROUP: {"groupId": "numbers"},
    ACTIVITY: {"groupId": "numbers", **OF_42},
    EARLIER: {"groupId": "numbers", **OF_42},
    CONTEXT: {**OF_42, "contextId": "cb:n"},
    LEARNER: {**OF_42, "userId": "u1"},
}


@pytest.mark.parametrize("path", ASKED)
def test_whole_numbers_are_written_as_such(api: Api, path: str) -> None:
    """As they are sent: what reads JSON takes 3.0 for 3."""
    sent = api.ask_as_service(path, **ASKED[path]).text
    for written in (
        '{"metric":"completedCount","value":3,',
        '{"metric":"completionPercentage","value":66.66,',
        '{"metric":"enrolledOn","value":1767261600000,',
    ):
        assert written in sent


def test_days_have_whole_numbers_too(api: Api) -> None:
    sent = api.ask_as_service(CONTEXT, **ASKED[CONTEXT], fields=["days", "completedCount"]).text
    assert '"days":[{"day":"2026-01-31","agg":[{"metric":"completedCount","value":3,' in sent


@pytest.mark.parametrize("path", [ACTIVITY, CONTEXT, LEARNER])
def test_of_what_is_known_of_an_activity_what_is_counted_is_a_number(api: Api, path: str) -> None:
    activity = result(api.ask_as_service(path, **ASKED[path]))["activity"]
    assert activity["metadata"] == {"name": "42", "status": "1.0", "leafNodesCount": 12}


def test_beside_the_activities_of_a_group_it_is_a_number_as_well(api: Api) -> None:
    (activity,) = api.group(groupId="numbers", fields=["metadata"])
    assert activity == {"id": "42", "type": "Course", "name": "42", "status": "1.0", "leafNodesCount": 12}
