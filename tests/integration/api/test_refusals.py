"""Every refusal, in the order of the checks, in the envelope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api, refusal

OF_C1 = {"groupId": "g1", "activityId": "c1", "activityType": "Course"}
NO_FIELDS: list[object] = ["agg", None, 1, {}, [1], ["agg", None]]
PATHS = [GROUP, ACTIVITY, EARLIER]
LEARNER = "/data/activity/user/agg"

TOO_LARGE = (413, "CLIENT_ERROR", "PAYLOAD_TOO_LARGE", "The request body is larger than 65536 bytes.")
UNAUTHORIZED = (401, "UNAUTHORIZED", "UNAUTHORIZED_USER", "You are not authorized.")
GROUP_ID_MISSING = (400, "CLIENT_ERROR", "GROUP_ID_MISSING", "GroupId is mandatory.")
ACTIVITY_ID_MISSING = (400, "CLIENT_ERROR", "ACTIVITY_ID_MISSING", "ActivityId is mandatory.")
ACTIVITY_TYPE_MISSING = (400, "CLIENT_ERROR", "ACTIVITY_TYPE_MISSING", "ActivityType is mandatory.")
FORBIDDEN = (403, "FORBIDDEN", "FORBIDDEN", "You are not a member of this group.")
GROUP_NOT_FOUND = (404, "RESOURCE_NOT_FOUND", "GROUP_NOT_FOUND", "There is no such group.")
ACTIVITY_NOT_FOUND = (404, "RESOURCE_NOT_FOUND", "ACTIVITY_NOT_FOUND", "The group has no such activity.")


@pytest.mark.parametrize("path", PATHS)
def test_a_large_body_is_refused_before_anything_else(api: Api, path: str) -> None:
    assert refusal(api.client.post(path, content=b" " * 65537)) == TOO_LARGE


def test_a_large_body_is_refused_also_when_it_does_not_say_how_long_it_is(api: Api) -> None:
    assert refusal(api.client.post(GROUP, content=(b" " * 10_000 for _ in range(7)))) == TOO_LARGE


@pytest.mark.parametrize("path", PATHS)
def test_who_asks_is_checked_before_what_is_asked(api: Api, path: str) -> None:
    response = api.client.post(path, content=b"no JSON")
    assert refusal(response) == UNAUTHORIZED
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b"{}", b'"request"', b'{"request": []}', b'{"request": null}', b"[" * 9999, b"\xff"],
)
def test_a_body_that_is_none_is_refused(api: Api, path: str, body: bytes) -> None:
    response = api.client.post(path, content=body, headers={"authorization": f"Bearer {api.keys.token()}"})
    assert refusal(response)[:3] == (400, "CLIENT_ERROR", "INVALID_REQUESTED_DATA")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        *((path, {"groupId": 1}) for path in PATHS),
        *((path, {"groupId": ["g1"]}) for path in PATHS),
        (GROUP, {"groupId": "g1", "activities": {}}),
        (GROUP, {"groupId": "g1", "activities": ["c1"]}),
        (GROUP, {"groupId": "g1", "activities": [{"id": 1, "type": "Course"}]}),
        *((GROUP, {"groupId": "g1", "fields": fields}) for fields in NO_FIELDS),
        *((ACTIVITY, {**OF_C1, "fields": fields}) for fields in NO_FIELDS),
        *((ACTIVITY, {**OF_C1, "limit": limit}) for limit in (0, -1, "1", 1.5, True)),
        *((ACTIVITY, {**OF_C1, "next": token}) for token in (1, "", "x", "e30", "ÿ")),
        (ACTIVITY, {"activityId": 1}),  # what is wrong is told before what is missing
    ],
)
def test_wrong_types_are_refused(api: Api, path: str, wrong: dict[str, Any]) -> None:
    assert refusal(api.ask(path, **wrong))[:3] == (400, "CLIENT_ERROR", "INVALID_REQUESTED_DATA")


def test_a_blank_context_that_need_not_be_named_is_wrong(api: Api) -> None:
    answer = refusal(api.ask(LEARNER, userId="u1", activityId="c1", activityType="Course", contextId=" "))
    assert answer[:3] == (400, "CLIENT_ERROR", "INVALID_REQUESTED_DATA")
    assert answer[3].startswith("request.contextId: ")


@pytest.mark.parametrize("day", ["0", "1767225600", "2026-1-31", "2026-01-31T00:00:00", "٢٠٢٦-01-31", "2026-02-30"])
def test_what_is_no_day_is_refused(api: Api, day: str) -> None:
    query = {"activityId": "c1", "activityType": "Course", "contextId": "cb:b1", "from": day}
    assert refusal(api.ask_as_service("/data/activity/agg", **query))[2] == "INVALID_REQUESTED_DATA"


@pytest.mark.parametrize("path", ["/health/live", "/data/metrics", "/openapi.json"])
def test_a_path_with_the_end_of_a_line_is_another(api: Api, path: str) -> None:
    assert api.client.get(f"{path}%0A").status_code == 404


@pytest.mark.parametrize("absent", [{}, {"groupId": None}, {"groupId": ""}, {"groupId": " \n"}])
@pytest.mark.parametrize("path", PATHS)
def test_a_group_is_mandatory(api: Api, path: str, absent: dict[str, Any]) -> None:
    assert refusal(api.ask(path, **absent)) == GROUP_ID_MISSING


@pytest.mark.parametrize("path", [ACTIVITY, EARLIER])
def test_an_activity_is_mandatory_its_id_before_its_type(api: Api, path: str) -> None:
    assert refusal(api.ask(path, groupId="g1")) == ACTIVITY_ID_MISSING
    assert refusal(api.ask(path, groupId="g1", activityType="Course", activityId=" ")) == ACTIVITY_ID_MISSING
    assert refusal(api.ask(path, groupId="g1", activityId="c1")) == ACTIVITY_TYPE_MISSING


def test_both_are_mandatory_in_a_filter(api: Api) -> None:
    assert refusal(api.ask(GROUP, groupId="g1", activities=[{"type": "Course"}])) == ACTIVITY_ID_MISSING
    assert refusal(api.ask(GROUP, groupId="g1", activities=[{"id": "c1"}])) == ACTIVITY_TYPE_MISSING


@pytest.mark.parametrize(
    ("path", "rest"), [(GROUP, {}), *((path, {"activityId": "c1", "activityType": "Course"}) for path in PATHS[1:])]
)
def test_an_outsider_learns_nothing(api: Api, path: str, rest: dict[str, str]) -> None:
    """Also who has left is one, and a group that exists not at all is answered like one that does."""
    for user, group in [("u9", "g1"), ("u3", "g1"), ("u9", "g2"), ("u9", "nowhere"), ("m001", "g1")]:
        assert refusal(api.ask(path, user, groupId=group, **rest)) == FORBIDDEN


@pytest.mark.parametrize(
    ("path", "rest"), [(GROUP, {}), *((path, {"activityId": "c1", "activityType": "Course"}) for path in PATHS[1:])]
)
def test_members_and_services_are_told_that_a_group_is_gone(api: Api, path: str, rest: dict[str, str]) -> None:
    assert refusal(api.ask(path, groupId="g2", **rest)) == GROUP_NOT_FOUND
    assert refusal(api.ask_as_service(path, groupId="g2", **rest)) == GROUP_NOT_FOUND
    assert refusal(api.ask_as_service(path, groupId="nowhere", **rest)) == GROUP_NOT_FOUND


def test_an_activity_that_is_not_the_groups_is_not_found(api: Api) -> None:
    for other in ({"activityId": "c9"}, {"activityType": "Quiz"}):
        assert refusal(api.ask(ACTIVITY, **{**OF_C1, **other})) == ACTIVITY_NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (["nmae"], "request.fields: nmae is not known; the nearest is name."),
        (["agg", "completeCount"], "request.fields: completeCount is not known; the nearest is completedCount."),
        (["Members"], "request.fields: Members is not known; the nearest is members."),
        (["scores:do_1"], "request.fields: scores:do_1 is not known; the nearest is score:."),
        (["firstnames"], "request.fields: firstnames is not known; the nearest is firstname."),
    ],
)
@pytest.mark.parametrize("path", [GROUP, ACTIVITY])
def test_a_name_that_is_not_known_is_told_the_nearest(api: Api, path: str, fields: list[str], sentence: str) -> None:
    assert refusal(api.ask(path, **OF_C1, fields=fields)) == (400, "CLIENT_ERROR", "INVALID_REQUESTED_DATA", sentence)


def test_clients_in_the_field_may_name_what_they_like(api: Api) -> None:
    assert api.ask(EARLIER, **OF_C1, fields=["nmae", 7]).status_code == 200


def test_what_no_route_answers_is_refused_in_the_envelope_too(api: Api) -> None:
    assert refusal(api.client.get("/nowhere"))[:3] == (404, "RESOURCE_NOT_FOUND", "NOT_FOUND")
    wrong_method = api.client.get(GROUP)
    assert refusal(wrong_method)[:3] == (405, "CLIENT_ERROR", "METHOD_NOT_ALLOWED")
    assert wrong_method.headers["allow"] == "POST"
    assert api.client.post("/health/live").headers["allow"] == "GET, HEAD"
