"""The route of the earlier service, as clients in the field use it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.api import EARLIER, Api, refusal, result, values
from tests.integration.api.conftest import BIG_GROUP, RUN_MS

OF_C1 = {"groupId": "g1", "activityId": "c1", "activityType": "Course"}
NOBODY = {"metric": "enrolmentCount", "value": 0, "lastUpdatedOn": None}


def asked(api: Api, user: str, activity: str, kind: str = "Course", group: str = "nest") -> dict[str, Any]:
    return result(api.ask(EARLIER, user, groupId=group, activityId=activity, activityType=kind))


def percentages(answer: dict[str, Any]) -> dict[str, float | None]:
    return {member["userId"]: values(member["agg"]).get("completionPercentage") for member in answer["members"]}


def test_clients_get_the_shape_that_they_parse(api: Api) -> None:
    answer = result(api.ask(EARLIER, **OF_C1))
    enrolled = {"metric": "enrolmentCount", "value": 2, "lastUpdatedOn": RUN_MS}
    assert answer["activity"] == {"id": "c1", "type": "Course", "agg": [enrolled]}
    first, second = answer["members"]
    assert values(first.pop("agg")) == {"completed": 1, "completedCount": 2}
    assert first == {
        "name": "Asha Bose",
        "firstname": "Asha",
        "userId": "u1",
        "role": "admin",
        "status": "active",
        "createdBy": "u1",
    }
    assert (second["userId"], second["name"]) == ("u4", "Dev")


def test_who_has_no_row_of_a_user_has_an_empty_name(api: Api) -> None:
    answer = asked(api, "m000", "c1", group="big")
    assert {member["name"] for member in answer["members"]} == {""}


def test_a_group_of_150_is_whole(api: Api) -> None:
    assert [member["userId"] for member in asked(api, "m000", "c1", group="big")["members"]] == BIG_GROUP


def test_nobody_enrolled_is_a_count_of_none(api: Api) -> None:
    answer = asked(api, "u1", "c2", group="g1")
    assert (answer["activity"]["agg"], answer["members"]) == ([NOBODY], [])


@pytest.mark.parametrize("kind", ["Course", "course", "Collection", "Digital Textbook"])
def test_the_type_that_is_sent_is_not_looked_at(api: Api, kind: str) -> None:
    answer = asked(api, "v1", "p1", kind)
    assert answer["activity"]["type"] == kind
    assert [member["userId"] for member in answer["members"]] == ["v2"]


def test_a_course_inside_of_a_listed_one_is_answered_by_the_best_row_of_each_member(api: Api) -> None:
    answer = asked(api, "v3", "n1")
    assert percentages(answer) == {"v1": 75, "v2": None}
    assert answer["activity"]["agg"][0]["value"] == 2


def test_a_course_is_inside_of_a_listed_one_also_where_its_learners_are_enrolled_in_itself_alone(api: Api) -> None:
    assert [member["userId"] for member in asked(api, "v3", "n2")["members"]] == ["v2"]


@pytest.mark.parametrize("activity", ["x1", "unknown", "c1"])
def test_what_is_not_below_a_listed_course_is_nobody(api: Api, activity: str) -> None:
    answer = asked(api, "v1", activity)
    assert (answer["activity"]["agg"], answer["members"]) == ([NOBODY], [])


def test_a_service_sees_any_course(api: Api) -> None:
    answer = result(api.ask_as_service(EARLIER, groupId="nest", activityId="x1", activityType="Course"))
    assert [member["userId"] for member in answer["members"]] == ["v1"]


def test_an_outsider_sees_none(api: Api) -> None:
    assert refusal(api.ask(EARLIER, "u1", groupId="nest", activityId="n1", activityType="Course"))[0] == 403
