"""What members of a group and services are answered."""

from __future__ import annotations

import pytest

from tests.harness.api import ACTIVITY, GROUP, Api, result, values
from tests.integration.api.conftest import BIG_GROUP, EARLIER_RUN_MS, RUN_MS

OF_C1 = {"groupId": "g1", "activityId": "c1", "activityType": "Course"}


def test_a_group_shows_its_activities_in_its_own_order_with_metadata_that_hides_nothing(api: Api) -> None:
    answer = result(api.ask(GROUP, groupId="g1"))
    assert answer["groupId"] == "g1"
    first, second = answer["activity"]
    assert first == {
        "id": "c1",
        "type": "Course",
        "name": "Algebra",
        "endDate": "2026-12-31",
        "agg": [
            {"metric": "completionPercentage", "value": 66.66, "lastUpdatedOn": EARLIER_RUN_MS},
            {"metric": "memberCount", "value": 3, "lastUpdatedOn": RUN_MS},
            {"metric": "undated", "value": 7, "lastUpdatedOn": None},
        ],
    }
    assert second == {"id": "c2", "type": "Course", "agg": []}


def test_the_filter_leaves_out_what_is_not_asked_for_and_what_is_not_the_groups(api: Api) -> None:
    wanted = [{"id": "c2", "type": "Course"}, {"id": "c9", "type": "Course"}, {"id": "c1", "type": "Quiz"}]
    assert [activity["id"] for activity in api.group(groupId="g1", activities=wanted)] == ["c2"]


@pytest.mark.parametrize(
    ("fields", "keys", "metrics"),
    [
        ([], {"name", "endDate", "agg"}, {"completionPercentage", "memberCount", "undated"}),
        (["agg"], {"agg"}, {"completionPercentage", "memberCount", "undated"}),
        (["metadata"], {"name", "endDate"}, None),
        (["memberCount"], {"name", "endDate", "agg"}, {"memberCount"}),
        (["agg", "memberCount", "completedCount"], {"agg"}, {"memberCount"}),
        (["score:"], {"name", "endDate", "agg"}, set()),
        (["name"], {"name", "agg"}, {"completionPercentage", "memberCount", "undated"}),
        (["metadata", "name"], {"name"}, None),
        (["members"], set(), None),
    ],
)
def test_fields_of_a_group(api: Api, fields: list[str], keys: set[str], metrics: set[str] | None) -> None:
    (activity,) = api.group(groupId="g1", fields=fields, activities=[{"id": "c1", "type": "Course"}])
    assert set(activity) == {"id", "type"} | keys
    assert metrics is None or set(values(activity["agg"])) == metrics


def test_an_activity_lists_every_active_member_also_who_never_enrolled(api: Api) -> None:
    activity = api.activity(**OF_C1)
    assert (activity["id"], activity["type"], activity["metadata"]["name"]) == ("c1", "Course", "Algebra")
    assert values(activity["agg"])["memberCount"] == 3
    assert "next" not in activity
    assert activity["members"] == [
        {
            "id": "u1",
            "role": "admin",
            "name": "Asha Bose",
            "firstname": "Asha",
            "agg": [
                {"metric": "completed", "value": 1, "lastUpdatedOn": None},
                {"metric": "completedCount", "value": 2, "lastUpdatedOn": EARLIER_RUN_MS},
            ],
        },
        {"id": "u2", "role": "member", "agg": []},
        {
            "id": "u4",
            "role": "member",
            "name": "Dev",
            "firstname": "Dev",
            "agg": [
                {"metric": "completed", "value": 1, "lastUpdatedOn": None},
                {"metric": "completedCount", "value": 2, "lastUpdatedOn": RUN_MS},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("fields", "keys", "metrics"),
    [
        (["metadata"], {"metadata"}, None),
        (["agg"], {"agg"}, None),
        (["members"], {"members"}, {"completed", "completedCount"}),
        (["members", "completedCount"], {"members"}, {"completedCount"}),
        (["completedCount"], {"metadata", "agg", "members"}, {"completedCount"}),
    ],
)
def test_fields_of_an_activity(api: Api, fields: list[str], keys: set[str], metrics: set[str] | None) -> None:
    activity = api.activity(**OF_C1, fields=fields)
    assert set(activity) == {"id", "type"} | keys
    if metrics is not None:
        assert set(values(activity["members"][0]["agg"])) == metrics


def test_attributes_of_members_that_were_asked_for(api: Api) -> None:
    first, *_ = api.activity(**OF_C1, fields=["members", "name"])["members"]
    assert set(first) == {"id", "role", "name", "agg"}
    assert values(first["agg"]) == {"completed": 1, "completedCount": 2}


def test_an_activity_of_the_group_that_nobody_has_begun_is_empty_not_missing(api: Api) -> None:
    activity = api.activity(groupId="g1", activityId="c2", activityType="Course")
    assert (activity["metadata"], activity["agg"]) == ({}, [])
    assert [member["agg"] for member in activity["members"]] == [[], [], []]


def test_a_group_of_150_is_one_page(api: Api) -> None:
    activity = api.activity("m007", groupId="big", activityId="c1", activityType="Course")
    assert [member["id"] for member in activity["members"]] == BIG_GROUP
    assert all(values(member["agg"])["completedCount"] == 2 for member in activity["members"])
    assert "next" not in activity


def test_a_service_reads_every_group(api: Api) -> None:
    answer = result(api.ask_as_service(ACTIVITY, groupId="big", activityId="c1", activityType="Course", limit=1))
    assert [member["id"] for member in answer["activity"]["members"]] == BIG_GROUP[:1]


def test_the_envelope_is_the_platforms(api: Api) -> None:
    response = api.ask(GROUP, groupId="g1")
    envelope = response.json()
    assert response.headers["content-type"] == "application/json"
    assert (envelope["id"], envelope["ver"], envelope["responseCode"]) == ("api.data.group.agg", "v1", "OK")
    assert set(envelope) == {"id", "ver", "ts", "params", "responseCode", "result"}
    assert set(envelope["params"]) == {"resmsgid", "msgid", "status", "err", "errmsg"}
    assert (envelope["params"]["status"], envelope["params"]["err"]) == ("success", None)


def test_unknown_fields_of_a_request_are_ignored(api: Api) -> None:
    body = {"id": "api.group", "params": {}, "request": {"groupId": "g1", "include": 7}}
    assert api.post(GROUP, body, api.keys.token()).status_code == 200


def test_health(api: Api) -> None:
    for path in ("/health/live", "/health/ready"):
        assert result(api.client.get(path)) == {"healthy": True}
