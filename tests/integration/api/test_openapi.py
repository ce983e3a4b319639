"""The OpenAPI document is true: its examples are answered as it says, and no body whatever breaks the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from activity_aggregates.api.edge.envelope import OTHER
from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api

OF_GROUPS = (GROUP, ACTIVITY, EARLIER)
OF_ACTIVITIES = ("/data/activity/agg", "/data/activity/user/agg")
SECURED = (*OF_GROUPS, *OF_ACTIVITIES)
OPEN = ("/health/live", "/health/ready", "/data/metrics")
# A page token of the right type is still refused for its signature.
LEFT_OUT: list[Any] = [positive_data_acceptance]
# A body that is wrong may also be too large, and is then refused for that, before it is read.
REFUSED = {"negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "413", "431"]}}


@pytest.fixture(scope="module")
def schema(api: Api) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict({"checks": REFUSED})
    return schemathesis.openapi.from_url(f"{api.client.base_url}/openapi.json", config=config)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", SECURED)
def test_every_answer_is_as_documented(
    schema: schemathesis.BaseSchema, api: Api, path: str, mode: GenerationMode
) -> None:
    """Bodies that the document allows and bodies that it does not; a service asks, so that they reach the store."""
    authorization = {"Authorization": f"Bearer {api.keys.token('anybody', scope='aggregates:read')}"}

    @given(case=schema[path]["POST"].as_strategy(generation_mode=mode))
    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def answered(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=authorization, excluded_checks=LEFT_OUT)

    answered()


@pytest.mark.parametrize("path", OPEN)
def test_what_everybody_may_ask_is_as_documented(schema: schemathesis.BaseSchema, path: str) -> None:
    schema[path]["GET"].Case().call_and_validate()


@pytest.mark.parametrize("path", SECURED)
def test_the_examples_can_be_tried(api: Api, schema: schemathesis.BaseSchema, path: str) -> None:
    document = api.client.get("/openapi.json").json()
    authorization = {"Authorization": f"Bearer {api.keys.token('anybody', scope='aggregates:read')}"}
    for example in document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"].values():
        case = schema[path]["POST"].Case(body=example["value"], media_type="application/json")
        response = case.call_and_validate(headers=authorization)
        assert response.status_code == 200


def operations(api: Api) -> dict[str, dict[str, Any]]:
    paths = api.client.get("/openapi.json").json()["paths"]
    return {path: operation for path, methods in paths.items() for operation in methods.values()}


@pytest.mark.parametrize("path", SECURED)
def test_every_refusal_is_documented_with_an_example(api: Api, path: str) -> None:
    operation = operations(api)[path]
    unknown = {"404"} if path != "/data/activity/user/agg" else set()
    assert set(operation["responses"]) == {"200", "400", "401", "403", "408", "413", "431", "503"} | unknown
    assert [set(each) for each in operation["security"]] == [
        {"bearer"}, {"userToken"}, {"bearer", "managedUser"}, {"userToken", "managedUser"},
    ]  # fmt: skip
    for status, response in operation["responses"].items():
        content = response["content"]["application/json"]
        assert "example" in content or content["examples"], status
    told = operation["responses"]["400"]["content"]["application/json"]["examples"]
    assert {"ACTIVITY_ID_MISSING", "ACTIVITY_TYPE_MISSING", "INVALID_REQUESTED_DATA"} <= set(told)


@pytest.mark.parametrize("path", SECURED)
def test_an_example_has_the_id_that_the_route_answers_with(api: Api, path: str) -> None:
    responses = operations(api)[path]["responses"]
    asked = api.client.post(path, content=b"{}").json()["id"]
    told = {status: ids(response["content"]["application/json"]) for status, response in responses.items()}
    assert told == {status: {asked} for status in told} | {"431": {OTHER}, "503": {asked, OTHER}}


def ids(content: dict[str, Any]) -> set[str]:
    examples = (
        [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]
    )
    return {example["id"] for example in examples}


@pytest.mark.parametrize("path", SECURED)
def test_what_a_body_may_lack_is_what_the_document_says(api: Api, path: str) -> None:
    """Asked without each of what its first example has, and with an activity that lacks what one needs."""
    operation = operations(api)[path]
    query = operation["requestBody"]["content"]["application/json"]["examples"]["everything"]["value"]["request"]
    bodies = [{name: value for name, value in query.items() if name != left_out} for left_out in query]
    listed = [{"id": "c1", "type": "Course"}, {"id": "c1"}, {"type": "Course"}]
    bodies += [{**query, "activities": [activity]} for activity in listed if path == GROUP]
    answers = [api.ask_as_service(path, **body).json()["params"]["err"] for body in bodies]
    told = operation["responses"]["400"]["content"]["application/json"]["examples"]
    assert {err for err in answers if err} == {err for err in told if err.endswith("_MISSING")}


def test_operations_have_short_names_of_their_own(api: Api) -> None:
    names = {path: operation["operationId"] for path, operation in operations(api).items()}
    assert names == {
        GROUP: "groupAggregates",
        ACTIVITY: "groupActivity",
        EARLIER: "earlierGroupActivity",
        "/data/activity/agg": "activityAggregates",
        "/data/activity/user/agg": "learnerAggregates",
        "/data/metrics": "metrics",
        "/health/live": "live",
        "/health/ready": "ready",
    }


def test_whatever_a_body_holds_is_bounded(api: Api) -> None:
    """Every text and list of a request has a maximum, or is one of few values."""
    schemas = api.client.get("/openapi.json").json()["components"]["schemas"]
    queries = {name: schema for name, schema in schemas.items() if name.endswith("Query") or name == "Activity"}
    assert len(queries) == 6
    for name, schema in queries.items():
        for field, about in schema["properties"].items():
            for part in about.get("anyOf", [about]):
                if part.get("type") in ("string", "array") and part.get("format") != "date":
                    assert "maxLength" in part or "maxItems" in part, f"{name}.{field}"
