"""What the job has computed is what the API answers."""

from __future__ import annotations

from pathlib import Path

from jobs.__main__ import main
from tests.harness import field_clients as steps
from tests.harness.api import EARLIER, api_settings, key_pair, result, served, values
from tests.harness.environment import Environment
from tests.integration.api.conftest import RUN, RUN_MS, member


def test_a_member_in_two_batches_is_shown_once_with_the_best_and_one_who_never_enrolled_with_nothing(
    made: Environment, tmp_path: Path
) -> None:
    keys = key_pair()
    course = {"courseid": "c1", "active": True, "status": 1}
    done = {"courseid": "c1", "contentid": "l1", "status": 2}
    made.store.load("content_hierarchy", {"c1": {"course": "c1", "children": ["l1", "l2", "l3"]}})
    made.store.load("user_enrolments", [{"userid": "u1", "batchid": batch, **course} for batch in ("b1", "b2")])
    made.store.load("user_content_consumption", [{"userid": "u1", "batchid": "b2", **done}])
    made.store.load("group", [{"id": "g1", "status": "active", "activities": [{"type": "Course", "id": "c1"}]}])
    made.store.load("group_member", [member("g1", "u1"), member("g1", "u2")])
    conf = made.configure({"api": api_settings(tmp_path, keys)}, tmp_path)
    assert main(["run", "--conf", str(conf), "--as-of", RUN]) == 0

    with served(conf, keys) as api:
        activity = api.activity(groupId="g1", activityId="c1", activityType="Course")
        asked = api.ask(EARLIER, groupId="g1", activityId="c1", activityType="Digital Textbook")

    assert values(activity["agg"]) == {
        "memberCount": 2,
        "enrolledCount": 1,
        "completedCount": 0,
        "completionPercentage": 0,
    }
    batches, never = activity["members"]
    assert (batches["id"], values(batches["agg"])["completionPercentage"]) == ("u1", 33.33)
    assert {entry["lastUpdatedOn"] for entry in batches["agg"]} == {RUN_MS}
    assert never == {"id": "u2", "role": "member", "agg": []}
    members = [{**member("g1", user), "userId": user, "name": user} for user in ("u1", "u2")]
    cards = steps.portal_details(steps.in_group(result(asked), members, leaves=3), leaves=3, me="u2")
    assert [(card["title"], card["progress"]) for card in cards] == [("", "33"), ("u2(You)", "0")]
