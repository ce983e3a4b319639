"""The OpenAPI document: what the routes themselves do not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from activity_aggregates.api.answers import FailureAnswer
from activity_aggregates.api.bodies import ActivityBody, EarlierActivityBody, GroupBody

REFERENCES = "#/components/schemas/{model}"
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "userToken": {"type": "apiKey", "in": "header", "name": "x-authenticated-user-token"},
}
EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    GroupBody: {
        "everything": {"groupId": "cef3dc0b"},
        "filtered": {
            "groupId": "cef3dc0b",
            "activities": [{"id": "do_31289", "type": "Course"}],
            "fields": ["agg", "completionPercentage"],
        },
    },
    ActivityBody: {
        "everything": {"groupId": "cef3dc0b", "activityId": "do_31289", "activityType": "Course"},
        "paged": {
            "groupId": "cef3dc0b",
            "activityId": "do_31289",
            "activityType": "Course",
            "fields": ["members", "completedCount"],
            "limit": 50,
        },
    },
    EarlierActivityBody: {
        "everything": {"groupId": "cef3dc0b", "activityId": "do_31289", "activityType": "Course"},
    },
}
UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": FailureAnswer, "description": "SERVICE_UNAVAILABLE: the store cannot be reached."}
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {
        "model": FailureAnswer,
        "description": "CLIENT_ERROR: INVALID_REQUESTED_DATA, GROUP_ID_MISSING, ACTIVITY_ID_MISSING, "
        "ACTIVITY_TYPE_MISSING.",
    },
    401: {"model": FailureAnswer, "description": "UNAUTHORIZED_USER: no token, or one that is not accepted."},
    403: {"model": FailureAnswer, "description": "FORBIDDEN: neither an active member nor a service."},
    404: {"model": FailureAnswer, "description": "GROUP_NOT_FOUND, ACTIVITY_NOT_FOUND."},
    413: {"model": FailureAnswer, "description": "PAYLOAD_TOO_LARGE."},
    **UNAVAILABLE,
}


def secured(body: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that reads `body` and asks for a token."""
    examples = {name: {"value": {"request": request}} for name, request in EXAMPLES[body].items()}
    content = {"schema": {"$ref": REFERENCES.format(model=body.__name__)}, "examples": examples}
    return {
        "requestBody": {"required": True, "content": {"application/json": content}},
        "security": [{scheme: []} for scheme in SCHEMES],
    }


def documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The document of the application, made once."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
            _, bodies = models_json_schema([(body, "validation") for body in EXAMPLES], ref_template=REFERENCES)
            components = document["components"]
            components["schemas"] |= bodies["$defs"]
            components["securitySchemes"] = SCHEMES
        return document

    return openapi
