"""Every way in which a request can fail, as an answer in the envelope."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from activity_aggregates.api.edge.envelope import failure
from activity_aggregates.api.edge.refusals import (
    CLIENT_ERROR,
    INTERNAL_ERROR,
    RESOURCE_NOT_FOUND,
    UNAVAILABLE,
    Refusal,
    Refused,
)
from activity_aggregates.errors import Unreachable

Handler = Callable[[Request, Exception], Awaitable[Response]]

_log = logging.getLogger(__name__)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return failure(request.scope, error.refusal)


async def unrouted(request: Request, error: Exception) -> Response:
    """No such path, or not with this method."""
    assert isinstance(error, HTTPException)
    response_code = RESOURCE_NOT_FOUND if error.status_code == 404 else CLIENT_ERROR
    err = error.detail.upper().replace(" ", "_")
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":  # as the routes know it; what may be got may be asked for its head
        headers["Allow"] = "GET, HEAD"
    return failure(request.scope, Refusal(error.status_code, response_code, err, f"{error.detail}.", headers))


async def unavailable(request: Request, error: Exception) -> Response:
    """What the store says is for the operator, not for the client."""
    _log.warning("503: %s", error)
    return failure(request.scope, UNAVAILABLE)


async def disconnected(request: Request, error: Exception) -> Response:
    """The client has gone: nobody reads the answer."""
    return Response(status_code=400)


async def failed(request: Request, error: Exception) -> Response:
    """A bug: the server logs its traceback."""
    return failure(request.scope, INTERNAL_ERROR)


HANDLERS: dict[type[Exception], Handler] = {
    Refused: refused,
    HTTPException: unrouted,
    Unreachable: unavailable,
    ClientDisconnect: disconnected,
    Exception: failed,
}
