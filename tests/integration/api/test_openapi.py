"""The OpenAPI document is true: its examples are answered as it says, and no body whatever breaks the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api, result

SECURED = (GROUP, ACTIVITY, EARLIER)
HEALTH = ("/health/live", "/health/ready")
# A page token of the right type is still refused for its signature.
LEFT_OUT: list[Any] = [positive_data_acceptance]


@pytest.fixture(scope="module")
def schema(api: Api) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{api.client.base_url}/openapi.json")


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


@pytest.mark.parametrize("path", HEALTH)
def test_health_is_as_documented(schema: schemathesis.BaseSchema, path: str) -> None:
    schema[path]["GET"].Case().call_and_validate()


@pytest.mark.parametrize("path", SECURED)
def test_the_examples_can_be_tried(api: Api, schema: schemathesis.BaseSchema, path: str) -> None:
    document = api.client.get("/openapi.json").json()
    authorization = {"Authorization": f"Bearer {api.keys.token()}"}
    for example in document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"].values():
        case = schema[path]["POST"].Case(body=example["value"], media_type="application/json")
        response = case.call_and_validate(headers=authorization)
        assert response.status_code == 200
        assert result(api.post(path, example["value"], api.keys.token()))["groupId"] == "cef3dc0b"


@pytest.mark.parametrize("path", SECURED)
def test_every_refusal_is_documented(api: Api, path: str) -> None:
    operation = api.client.get("/openapi.json").json()["paths"][path]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "413", "503"}
    assert operation["security"] == [{"bearer": []}, {"userToken": []}]
