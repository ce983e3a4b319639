"""Pages of members, and the tokens that lead from one to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.api import ACTIVITY, Api, refusal
from tests.integration.api.conftest import BIG_GROUP

OF_C1 = {"groupId": "big", "activityId": "c1", "activityType": "Course"}


def pages(api: Api, limit: int) -> Iterator[list[str]]:
    activity = api.activity("m000", **OF_C1, limit=limit)
    while True:
        yield [member["id"] for member in activity["members"]]
        if "next" not in activity:
            return
        activity = api.activity("m000", **OF_C1, limit=limit, next=activity["next"])


@pytest.mark.parametrize(("limit", "sizes"), [(60, [60, 60, 30]), (75, [75, 75]), (149, [149, 1]), (150, [150])])
def test_pages_show_every_member_once_and_the_last_one_says_so(api: Api, limit: int, sizes: list[int]) -> None:
    found = list(pages(api, limit))
    assert [len(page) for page in found] == sizes
    assert [user for page in found for user in page] == BIG_GROUP


def test_members_who_have_left_take_no_place_on_a_page(api: Api) -> None:
    of_g1 = {**OF_C1, "groupId": "g1"}
    first = api.activity(**of_g1, limit=2)
    assert [member["id"] for member in first["members"]] == ["u1", "u2"]
    second = api.activity(**of_g1, limit=2, next=first["next"])
    assert [member["id"] for member in second["members"]] == ["u4"]
    assert "next" not in second


def test_a_limit_above_the_largest_page_is_the_largest_page(api: Api) -> None:
    assert len(api.activity("m000", **OF_C1, limit=10**9)["members"]) == len(BIG_GROUP)


def test_a_token_is_good_for_its_group_activity_and_caller_only(api: Api) -> None:
    token = api.activity("m000", **OF_C1, limit=50)["next"]
    others = [
        ("m001", {}),
        ("m000", {"activityId": "c2"}),
        ("m000", {"activityType": "Quiz"}),
        ("m000", {"groupId": "g1"}),
    ]
    for user, other in others:
        refused = refusal(api.ask(ACTIVITY, user, **{**OF_C1, **other}, next=token))
        assert refused == (
            400,
            "CLIENT_ERROR",
            "INVALID_REQUESTED_DATA",
            "request.next is not a token of this query.",
        )


def test_a_tampered_token_is_refused(api: Api) -> None:
    token = api.activity("m000", **OF_C1, limit=50)["next"]
    for other in (token[1:], token[:-1], f"A{token[1:]}" if token[0] != "A" else f"B{token[1:]}", token + "AAAA"):
        assert refusal(api.ask(ACTIVITY, "m000", **OF_C1, next=other))[2] == "INVALID_REQUESTED_DATA"
