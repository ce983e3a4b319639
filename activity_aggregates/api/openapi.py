"""The OpenAPI document: what the routes themselves do not say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from activity_aggregates.api.answers import FailureAnswer
from activity_aggregates.api.bodies import ActivityBody, EarlierActivityBody, GroupBody
from activity_aggregates.api.edge import refusals
from activity_aggregates.api.edge.refusals import Refusal
from activity_aggregates.api.examples import REQUESTS, RESULTS, envelope

REFERENCES = "#/components/schemas/{model}"
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "userToken": {"type": "apiKey", "in": "header", "name": "x-authenticated-user-token"},
}
JSON = "application/json"

Responses = dict[int | str, dict[str, Any]]


def _told(status: int, description: str, told: Sequence[Refusal]) -> Responses:
    """A status with an example of each refusal that has it."""
    examples = {
        refusal.err if len({each.err for each in told}) == len(told) else refusal.errmsg: {
            "value": {
                **envelope({}, "failed", refusal.err, refusal.errmsg),
                "responseCode": refusal.response_code,
            }
        }
        for refusal in told
    }
    return {status: {"model": FailureAnswer, "description": description, "content": {JSON: {"examples": examples}}}}


ALWAYS = {
    **_told(431, "The headers are above 32 KiB or 100.", [refusals.HEADERS_TOO_LARGE]),
    **_told(408, "The head or the body did not arrive in time.", [refusals.REQUEST_TIMEOUT]),
}
UNAVAILABLE: Responses = _told(
    503,
    "The store cannot be reached or is too slow, or the request would take too many reads.",
    [refusals.UNAVAILABLE, refusals.TOO_SLOW, refusals.TOO_MANY_READS, refusals.TOO_MANY_CONNECTIONS],
)
MISSING = {
    "groupId": refusals.GROUP_ID_MISSING,
    "userId": refusals.USER_ID_MISSING,
    "activityId": refusals.ACTIVITY_ID_MISSING,
    "activityType": refusals.ACTIVITY_TYPE_MISSING,
    "contextId": refusals.CONTEXT_ID_MISSING,
}
WRONG = refusals.invalid("request.fields: completeCount is not known; the nearest is completedCount.")
OF_GROUPS = (GroupBody, ActivityBody, EarlierActivityBody)


def operation(name: str, body: type[BaseModel], answer: Any) -> dict[str, Any]:
    """What FastAPI is told of a route that reads `body` and asks for a token."""
    examples = {name: {"value": {"request": request}} for name, request in REQUESTS[body].items()}
    content = {"schema": {"$ref": REFERENCES.format(model=body.__name__)}, "examples": examples}
    return {
        **_named(name, answer, {**_refusals(body), **UNAVAILABLE}, RESULTS[body]),
        "tags": ["groups" if body in OF_GROUPS else "activities"],
        "openapi_extra": {
            "requestBody": {"required": True, "content": {JSON: content}},
            "security": [{scheme: []} for scheme in SCHEMES],
        },
    }


def open_operation(name: str, answer: Any, others: Responses | None = None) -> dict[str, Any]:
    """What FastAPI is told of a route that everybody may ask."""
    return {**_named(name, answer, others or {}, None), "tags": ["about"]}


def _named(name: str, answer: Any, others: Responses, result: dict[str, Any] | None) -> dict[str, Any]:
    content = {JSON: {"example": envelope(result)}} if result is not None else {}
    success = {"model": answer, **({"content": content} if content else {})}
    return {"operation_id": name, "response_model": None, "responses": {200: success, **others, **ALWAYS}}


def _refusals(body: type[BaseModel]) -> Responses:
    is_of_group = body in OF_GROUPS
    query = body.model_fields["request"].annotation
    asked = query.model_fields if isinstance(query, type) and issubclass(query, BaseModel) else {}
    missing = [refusal for name, refusal in MISSING.items() if name in asked and asked[name].is_required()]
    forbidden = [refusals.FORBIDDEN] if is_of_group else [refusals.NOT_A_SERVICE, refusals.NOT_THE_LEARNER]
    unknown = [refusals.GROUP_NOT_FOUND, refusals.ACTIVITY_NOT_FOUND] if is_of_group else [refusals.NO_SUCH_ACTIVITY]
    return {
        **_told(400, "The body is not one, something in it is wrong or unknown, or it lacks an id.", [WRONG, *missing]),
        **_told(401, "No token, or one that is not accepted; the log says why.", [refusals.UNAUTHORIZED]),
        **_told(403, "The caller may not see this.", forbidden),
        **_told(404, "There is none.", unknown),
        **_told(413, "The body is too large.", [refusals.too_large(65536)]),
    }


def documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The document of the application, made once."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
            _, bodies = models_json_schema([(body, "validation") for body in REQUESTS], ref_template=REFERENCES)
            components = document["components"]
            components["schemas"] |= bodies["$defs"]
            components["securitySchemes"] = SCHEMES
        return document

    return openapi
