"""The steps of the portal and the app in the field, on live answers of the route that they ask."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import field_clients as steps
from tests.harness.api import EARLIER, Api, result

LEAVES = 4
GROUP = [
    {"userId": user, "name": name, "role": "member", "status": "active", "createdBy": "u1"}
    for user, name in (("u1", "Asha Bose"), ("u2", "Bilal"), ("u4", "Dev"))
]


def asked(api: Api, activity: str, kind: str, group: str = "g1", user: str = "u1") -> dict[str, Any]:
    """As the client library asks: with the gateway's key and the user's token, and no header more."""
    headers = {"authorization": "Bearer of-the-gateway", "x-authenticated-user-token": api.keys.token(user)}
    body = {"request": {"groupId": group, "activityId": activity, "activityType": kind}}
    return result(api.client.post(EARLIER, json=body, headers=headers))


def test_the_portal_shows_and_sorts_its_cards_and_writes_its_file(api: Api) -> None:
    answer = steps.in_group(asked(api, "c1", "Course"), GROUP, LEAVES)
    cards = steps.portal_details(answer, LEAVES, me="u1")
    assert [(card["title"], card["progress"]) for card in cards] == [
        ("Asha Bose(You)", "50"),
        ("Bilal", "0"),
        ("Dev", "50"),
    ]
    assert steps.portal_search(cards, "DEV") == ["u4"]
    assert steps.portal_csv(cards) == [("Asha Bose", "50%"), ("Bilal", "0%"), ("Dev", "50%")]


def test_the_app_lists_and_writes_its_file(api: Api) -> None:
    answer = steps.in_group(asked(api, "c1", "Course"), GROUP, LEAVES)
    assert steps.app_list(answer, "b") == ["u1", "u2"]
    assert steps.app_csv(answer) == ['"Asha Bose","50%"', '"Bilal","0%"', '"Dev","50%"']


def test_an_answer_is_parsed_also_without_the_rest_of_the_group(api: Api) -> None:
    """The portal's menu of courses asks without what would be merged in."""
    cards = steps.portal_details(asked(api, "c1", "Course"), LEAVES, me="u4")
    assert [card["title"] for card in cards] == ["Asha Bose", "Dev(You)"]


def test_both_show_scores_under_the_names_of_the_assessments(api: Api) -> None:
    answer = steps.in_group(asked(api, "c2", "Course", "scored", "v1"), [], LEAVES)
    assert answer["members"] == []
    rows = steps.dashlet(asked(api, "c2", "Course", "scored", "v1"), {"do_1": "First quiz"})
    assert rows == [{"name": "Vera v1", "progress": 0, "First quiz": 3}]


@pytest.mark.parametrize(
    ("activity", "kind", "shown"),
    [
        ("p1", "Course", ["v2"]),  # the group calls it a Collection
        ("p1", "Digital Textbook", ["v2"]),
        ("n1", "Course", ["v1", "v2"]),  # in the menu of courses inside of p1
        ("unheard-of", "Course", []),
    ],
)
def test_whatever_they_ask_is_answered(api: Api, activity: str, kind: str, shown: list[str]) -> None:
    answer = asked(api, activity, kind, "nest", "v1")
    cards = steps.portal_details(answer, LEAVES, me="v1")
    assert [card["identifier"] for card in cards] == shown
    assert len(steps.app_csv(answer)) == len(shown)


def test_a_group_of_members_without_names_is_shown(api: Api) -> None:
    cards = steps.portal_details(asked(api, "c1", "Course", "big", "m000"), LEAVES, me="m000")
    assert len(steps.portal_csv(cards)) == 150
