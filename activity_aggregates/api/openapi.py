"""The OpenAPI document: what the routes themselves do not say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from activity_aggregates.api.answers import FailureAnswer
from activity_aggregates.api.bodies import (
    ActivityBody,
    ContextBody,
    EarlierActivityBody,
    GroupBody,
    LearnerBody,
    missing_ids,
)
from activity_aggregates.api.edge import refusals
from activity_aggregates.api.edge.refusals import Refusal
from activity_aggregates.api.examples import REQUESTS, RESULTS, envelope

REFERENCES = "#/components/schemas/{model}"
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "userToken": {"type": "apiKey", "in": "header", "name": "x-authenticated-user-token"},
    "managedUser": {"type": "apiKey", "in": "header", "name": "x-authenticated-for"},
}
TOKENS = (("bearer",), ("userToken",), ("bearer", "managedUser"), ("userToken", "managedUser"))  # any of these sets
JSON = "application/json"
EARLY = (refusals.HEADERS_TOO_LARGE, refusals.TOO_MANY_CONNECTIONS)  # before anybody has looked at the path
WRONG = refusals.invalid("request.activityType: Input should be a valid string")
WRONG_FIELD = refusals.invalid("request.fields: completeCount is not known; the nearest is completedCount.")
OF_GROUPS = (GroupBody, ActivityBody, EarlierActivityBody)
FORBIDDEN = {ContextBody: refusals.NOT_A_SERVICE, LearnerBody: refusals.NOT_THE_LEARNER}  # of the others: not a member
UNKNOWN: dict[type[BaseModel], list[Refusal]] = {
    GroupBody: [refusals.GROUP_NOT_FOUND],
    ActivityBody: [refusals.GROUP_NOT_FOUND, refusals.ACTIVITY_NOT_FOUND],
    EarlierActivityBody: [refusals.GROUP_NOT_FOUND],
    ContextBody: [refusals.NO_SUCH_ACTIVITY],
}

Responses = dict[int | str, dict[str, Any]]


def _told(path: str, status: int, description: str, told: Sequence[Refusal]) -> Responses:
    """A status with an example of each refusal that has it, in the envelope of the path."""
    examples = {
        refusal.err if len({each.err for each in told}) == len(told) else refusal.errmsg: {
            "value": {
                **envelope("" if refusal in EARLY else path, {}, "failed", refusal.err, refusal.errmsg),
                "responseCode": refusal.response_code,
            }
        }
        for refusal in told
    }
    return {status: {"model": FailureAnswer, "description": description, "content": {JSON: {"examples": examples}}}}


def _always(path: str) -> Responses:
    return {
        **_told(path, 431, "The headers are above 32 KiB or 100.", [refusals.HEADERS_TOO_LARGE]),
        **_told(path, 408, "The head or the body did not arrive in time.", [refusals.REQUEST_TIMEOUT]),
    }


def _unavailable(path: str, told: Sequence[Refusal]) -> Responses:
    return _told(path, 503, "The store cannot be reached or is too slow, or there is too much to do.", told)


def operation(path: str, name: str, body: type[BaseModel], answer: Any) -> dict[str, Any]:
    """What FastAPI is told of a route that reads `body` and asks for a token."""
    examples = {name: {"value": {"request": request}} for name, request in REQUESTS[body].items()}
    content = {"schema": {"$ref": REFERENCES.format(model=body.__name__)}, "examples": examples}
    busy = [refusals.UNAVAILABLE, refusals.TOO_SLOW, refusals.TOO_MANY_READS, refusals.TOO_MANY_CONNECTIONS]
    return {
        **_named(path, name, answer, {**_refusals(path, body), **_unavailable(path, busy)}, RESULTS[body]),
        "path": path,
        "tags": ["groups" if body in OF_GROUPS else "activities"],
        "openapi_extra": {
            "requestBody": {"required": True, "content": {JSON: content}},
            "security": [{scheme: [] for scheme in schemes} for schemes in TOKENS],
        },
    }


def open_operation(path: str, name: str, answer: Any, may_fail: bool = False) -> dict[str, Any]:
    """What FastAPI is told of a route that everybody may ask."""
    others = _unavailable(path, [refusals.UNAVAILABLE]) if may_fail else {}
    return {**_named(path, name, answer, others, None), "path": path, "tags": ["about"]}


def _named(path: str, name: str, answer: Any, others: Responses, result: dict[str, Any] | None) -> dict[str, Any]:
    content = {JSON: {"example": envelope(path, result)}} if result is not None else {}
    success = {"model": answer, **({"content": content} if content else {})}
    return {"operation_id": name, "response_model": None, "responses": {200: success, **others, **_always(path)}}


def _refusals(path: str, body: type[BaseModel]) -> Responses:
    wrong = [WRONG if body is EarlierActivityBody else WRONG_FIELD, *missing_ids(body).values()]
    unknown = _told(path, 404, "There is none.", UNKNOWN[body]) if body in UNKNOWN else {}
    return {
        **_told(path, 400, "The body is not one, something in it is wrong or unknown, or it lacks an id.", wrong),
        **_told(path, 401, "No token, or one that is not accepted; the log says why.", [refusals.UNAUTHORIZED]),
        **_told(path, 403, "The caller may not see this.", [FORBIDDEN.get(body, refusals.FORBIDDEN)]),
        **unknown,
        **_told(path, 413, "The body is too large.", [refusals.too_large(65536)]),
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
