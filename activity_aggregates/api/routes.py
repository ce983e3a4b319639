"""The routes: plain functions, over what their dependencies have checked, in the order of the checks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from activity_aggregates.api import answers, openapi, refusals
from activity_aggregates.api.bodies import ActivityBody, Body, EarlierActivityBody, GroupBody, parsed
from activity_aggregates.api.compatibility import earlier_activity_aggregates
from activity_aggregates.api.envelope import success
from activity_aggregates.api.metadata import Metadata
from activity_aggregates.api.reading import Listing, activity_aggregates, group_aggregates
from activity_aggregates.api.refusals import Refused
from activity_aggregates.api.shapes import Entry
from activity_aggregates.api.store import Reads, Store
from activity_aggregates.api.tokens import Caller, Verifier
from activity_aggregates.tables.cassandra import translated

router = APIRouter()


@dataclass(frozen=True)
class Serving:
    """What the routes of a process share."""

    store: Store
    verifier: Verifier
    metadata: Metadata
    listing: Listing
    max_body_bytes: int


# The dependencies are coroutines, which cost no change of thread; the routes wait for the store in threads.


async def serving(request: Request) -> Serving:
    shared: Serving = request.app.state.serving
    return shared


ServingNow = Annotated[Serving, Depends(serving)]


async def limited(request: Request, serving: ServingNow) -> bytes:
    """The body, which is not read further than its limit."""
    limit = serving.max_body_bytes
    if int(request.headers.get("content-length", 0)) > limit:
        raise Refused(refusals.too_large(limit))
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refused(refusals.too_large(limit))
    return bytes(body)


RawBody = Annotated[bytes, Depends(limited)]


async def caller(request: Request, serving: ServingNow, _: RawBody) -> Caller:
    return serving.verifier.caller(request.headers)


KnownCaller = Annotated[Caller, Depends(caller)]


def body_of(model: type[Body]) -> Callable[[KnownCaller, RawBody], Coroutine[Any, Any, Body]]:
    async def body(_: KnownCaller, raw: RawBody) -> Body:
        return parsed(model, raw)

    return body


@router.post(
    "/data/group/agg",
    response_model=None,
    responses={200: {"model": answers.GroupAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(GroupBody),
)
def group_agg(
    request: Request,
    serving: ServingNow,
    caller: KnownCaller,
    body: Annotated[GroupBody, Depends(body_of(GroupBody))],
) -> Response:
    """The activities of a group with the numbers of all its members together."""
    return _answered(request, serving, lambda reads: group_aggregates(reads, serving.metadata, caller, body.request))


@router.post(
    "/data/group/activity/agg",
    response_model=None,
    responses={200: {"model": answers.ActivityAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(ActivityBody),
)
def activity_agg(
    request: Request,
    serving: ServingNow,
    caller: KnownCaller,
    body: Annotated[ActivityBody, Depends(body_of(ActivityBody))],
) -> Response:
    """One activity of a group, with every active member."""
    return _answered(
        request,
        serving,
        lambda reads: activity_aggregates(reads, serving.metadata, serving.listing, caller, body.request),
    )


@router.post(
    "/v1/group/activity/agg",
    response_model=None,
    responses={200: {"model": answers.EarlierActivityAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(EarlierActivityBody),
)
def earlier_activity_agg(
    request: Request,
    serving: ServingNow,
    caller: KnownCaller,
    body: Annotated[EarlierActivityBody, Depends(body_of(EarlierActivityBody))],
) -> Response:
    """One activity of a group in the shape of the earlier service."""
    return _answered(
        request, serving, lambda reads: earlier_activity_aggregates(reads, serving.listing, caller, body.request)
    )


@router.get("/health/live", response_model=None, responses={200: {"model": answers.HealthAnswer}})
async def live(request: Request) -> Response:
    """Whether the process answers."""
    return success(request.scope["path"], {"healthy": True})


@router.get(
    "/health/ready", response_model=None, responses={200: {"model": answers.HealthAnswer}, **openapi.UNAVAILABLE}
)
def ready(request: Request, serving: ServingNow) -> Response:
    """Whether tokens can be checked, and the store answers a read like those that requests make."""
    serving.verifier.check()
    serving.store.check()
    return success(request.scope["path"], {"healthy": True})


def _answered(request: Request, serving: Serving, result: Callable[[Reads], Entry]) -> Response:
    with translated():
        return success(request.scope["path"], result(serving.store.reads()))
