"""The routes: plain functions, over what their dependency has checked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Generic

from fastapi import APIRouter, Depends, Request, Response

from activity_aggregates.api import answers, openapi, refusals
from activity_aggregates.api.bodies import ActivityBody, Body, EarlierActivityBody, GroupBody, parsed
from activity_aggregates.api.answering.earlier import earlier_activity_aggregates
from activity_aggregates.api.edge.envelope import success
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.groups import Listing, activity_aggregates, group_aggregates
from activity_aggregates.api.edge.refusals import Refused
from activity_aggregates.api.answering.shapes import Entry
from activity_aggregates.api.stored.store import Reads, Store
from activity_aggregates.api.identity.tokens import Caller, Verifier
from activity_aggregates.store.connection import translated

router = APIRouter()


@dataclass(frozen=True)
class Serving:
    """What the routes of a process share."""

    store: Store
    verifier: Verifier
    metadata: Metadata
    listing: Listing
    max_body_bytes: int


@dataclass(frozen=True)
class Asked(Generic[Body]):
    """A request that passed its checks."""

    path: str
    serving: Serving
    caller: Caller
    body: Body

    def answered(self, result: Callable[[Reads], Entry]) -> Response:
        with translated():
            return success(self.path, result(self.serving.store.reads()))


def checked(model: type[Body]) -> Callable[[Request], Coroutine[Any, Any, Asked[Body]]]:
    """The checks of a request, in their order, as one dependency: FastAPI walks through nested ones again and again.

    It is a coroutine, which costs no change of thread; the routes wait for the store in threads.
    """

    async def asked(request: Request) -> Asked[Body]:
        serving: Serving = request.app.state.serving
        raw = await limited(request, serving.max_body_bytes)
        caller = serving.verifier.caller(request.headers)
        return Asked(request.scope["path"], serving, caller, parsed(model, raw))

    return asked


async def limited(request: Request, limit: int) -> bytes:
    """The body, which is not read further than its limit."""
    if int(request.headers.get("content-length", 0)) > limit:
        raise Refused(refusals.too_large(limit))
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refused(refusals.too_large(limit))
    return bytes(body)


@router.post(
    "/data/group/agg",
    response_model=None,
    responses={200: {"model": answers.GroupAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(GroupBody),
)
def group_agg(asked: Annotated[Asked[GroupBody], Depends(checked(GroupBody))]) -> Response:
    """The activities of a group with the numbers of all its members together."""
    return asked.answered(
        lambda reads: group_aggregates(reads, asked.serving.metadata, asked.caller, asked.body.request)
    )


@router.post(
    "/data/group/activity/agg",
    response_model=None,
    responses={200: {"model": answers.ActivityAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(ActivityBody),
)
def activity_agg(asked: Annotated[Asked[ActivityBody], Depends(checked(ActivityBody))]) -> Response:
    """One activity of a group, with every active member."""
    serving = asked.serving
    return asked.answered(
        lambda reads: activity_aggregates(reads, serving.metadata, serving.listing, asked.caller, asked.body.request)
    )


@router.post(
    "/v1/group/activity/agg",
    response_model=None,
    responses={200: {"model": answers.EarlierActivityAnswer}, **openapi.REFUSALS},
    openapi_extra=openapi.secured(EarlierActivityBody),
)
def earlier_activity_agg(
    asked: Annotated[Asked[EarlierActivityBody], Depends(checked(EarlierActivityBody))],
) -> Response:
    """One activity of a group in the shape of the earlier service."""
    return asked.answered(
        lambda reads: earlier_activity_aggregates(reads, asked.serving.listing, asked.caller, asked.body.request)
    )


@router.get("/health/live", response_model=None, responses={200: {"model": answers.HealthAnswer}})
async def live(request: Request) -> Response:
    """Whether the process answers."""
    return success(request.scope["path"], {"healthy": True})


@router.get(
    "/health/ready", response_model=None, responses={200: {"model": answers.HealthAnswer}, **openapi.UNAVAILABLE}
)
def ready(request: Request) -> Response:
    """Whether tokens can be checked, and the store answers a read like those that requests make."""
    serving: Serving = request.app.state.serving
    serving.verifier.check()
    serving.store.check()
    return success(request.scope["path"], {"healthy": True})
