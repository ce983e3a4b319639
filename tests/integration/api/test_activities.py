"""The routes of single activities, and the list of metrics."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.declarations import METRICS
from tests.harness.api import Api, refusal, result, values
from tests.integration.api.conftest import RUN_MS

CONTEXT, LEARNER = "/data/activity/agg", "/data/activity/user/agg"
OF_C1 = {"activityId": "c1", "activityType": "Course"}
IN_B1 = {**OF_C1, "contextId": "cb:b1"}


def test_an_activity_in_a_context_has_its_counts_its_metadata_and_its_days(api: Api) -> None:
    activity = result(api.ask_as_service(CONTEXT, **IN_B1))["activity"]
    assert {key: activity[key] for key in ("id", "type", "contextId")} == {
        "id": "c1",
        "type": "Course",
        "contextId": "cb:b1",
    }
    assert activity["agg"] == [{"metric": "enrolledCount", "value": 3, "lastUpdatedOn": RUN_MS}]
    assert activity["metadata"]["name"] == "Algebra"
    assert activity["days"] == []


def test_what_is_asked_for_is_all_that_is_answered(api: Api) -> None:
    activity = result(api.ask_as_service(CONTEXT, **IN_B1, fields=["agg", "completedCount"]))["activity"]
    assert activity == {"id": "c1", "type": "Course", "contextId": "cb:b1", "agg": []}


def test_an_activity_that_the_context_has_not_is_not_found(api: Api) -> None:
    refused = refusal(api.ask_as_service(CONTEXT, **{**IN_B1, "contextId": "cb:b9"}))
    assert refused == (404, "RESOURCE_NOT_FOUND", "ACTIVITY_NOT_FOUND", "The context has no such activity.")


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ({"from": "2026-02-01", "to": "2026-01-31"}, "request.from: 2026-02-01 is after request.to, 2026-01-31."),
        (
            {"from": "2026-01-01", "to": "2027-02-05"},
            "request.to: 2027-02-05 is more than 400 days from request.from, 2026-01-01.",
        ),
    ],
)
def test_days_that_are_none_or_too_many_are_refused(api: Api, days: dict[str, str], sentence: str) -> None:
    refused = refusal(api.ask_as_service(CONTEXT, **IN_B1, **days))
    assert refused == (400, "CLIENT_ERROR", "INVALID_REQUESTED_DATA", sentence)


@pytest.mark.parametrize(
    "days", [{"from": "2026-01-01", "to": "2027-02-04"}, {"from": "0001-01-01"}, {"to": "9999-12-31"}]
)
def test_400_days_may_be_asked_for(api: Api, days: dict[str, str]) -> None:
    assert api.ask_as_service(CONTEXT, **IN_B1, **days).status_code == 200


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", 20260101, True, ["2026-01-01"]])
def test_a_day_that_is_none_is_refused(api: Api, day: object) -> None:
    assert refusal(api.ask_as_service(CONTEXT, **IN_B1, **{"from": day}))[2] == "INVALID_REQUESTED_DATA"


def test_a_learner_has_a_row_for_each_context(api: Api) -> None:
    answer = result(api.ask(LEARNER, "u1", userId="u1", **OF_C1))
    contexts = answer["activity"]["contexts"]
    assert [context["contextId"] for context in contexts] == ["cb:b1", "cb:b2"]
    assert values(contexts[0]["agg"]) == {"completedCount": 1, "score:do_1": 3}
    assert answer["activity"]["metadata"]["name"] == "Algebra"


def test_one_context_and_a_family_of_metrics_can_be_asked_for(api: Api) -> None:
    answer = result(api.ask(LEARNER, "u1", userId="u1", **IN_B1, fields=["agg", "score:"]))
    assert answer["activity"] == {
        "id": "c1",
        "type": "Course",
        "contexts": [
            {"contextId": "cb:b1", "agg": [{"metric": "score:do_1", "value": 3, "lastUpdatedOn": None}]},
        ],
    }


def test_who_has_not_begun_has_no_rows(api: Api) -> None:
    answer = result(api.ask_as_service(LEARNER, userId="nobody", **OF_C1))
    assert answer["activity"]["contexts"] == []


def test_services_see_both_and_learners_themselves(api: Api) -> None:
    assert api.ask_as_service(LEARNER, userId="u1", **OF_C1).status_code == 200
    assert refusal(api.ask(LEARNER, "u2", userId="u1", **OF_C1))[:3] == (403, "FORBIDDEN", "FORBIDDEN")
    assert refusal(api.ask(CONTEXT, "u1", **IN_B1))[:3] == (403, "FORBIDDEN", "FORBIDDEN")


@pytest.mark.parametrize(
    ("path", "left_out", "code"),
    [
        (CONTEXT, "activityId", "ACTIVITY_ID_MISSING"),
        (CONTEXT, "activityType", "ACTIVITY_TYPE_MISSING"),
        (CONTEXT, "contextId", "CONTEXT_ID_MISSING"),
        (LEARNER, "userId", "USER_ID_MISSING"),
        (LEARNER, "activityId", "ACTIVITY_ID_MISSING"),
    ],
)
def test_what_is_mandatory(api: Api, path: str, left_out: str, code: str) -> None:
    asked: dict[str, Any] = {**IN_B1, "userId": "u1", left_out: " "}
    assert refusal(api.ask_as_service(path, **asked))[:3] == (400, "CLIENT_ERROR", code)


def test_every_metric_that_is_on_is_described_to_everybody(api: Api) -> None:
    """The test configuration has one family on."""
    told = result(api.client.get("/data/metrics"))["metrics"]
    by_name = {metric["name"]: metric for metric in told}
    assert by_name["completedCount"]["family"] == "completion"
    assert set(by_name) == {metric.name for metric in METRICS if metric.family == "completion"}
    assert all(set(metric) == {"name", "family", "unit", "meaning", "tables"} for metric in told)
