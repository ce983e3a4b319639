"""The routes: plain functions, over what their dependency has checked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hmac import digest
from typing import Annotated, Any, Generic

from fastapi import APIRouter, Depends, Request, Response

from activity_aggregates.api import answers, openapi
from activity_aggregates.api.answering.activities import context_aggregates, learner_aggregates
from activity_aggregates.api.answering.earlier import earlier_activity_aggregates
from activity_aggregates.api.answering.groups import activity_aggregates, group_aggregates
from activity_aggregates.api.answering.members import Listing
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.answering.shapes import Entry
from activity_aggregates.api.bodies import (
    ActivityBody,
    Body,
    ContextBody,
    EarlierActivityBody,
    GroupBody,
    LearnerBody,
    read_json,
    validated,
)
from activity_aggregates.api.edge import refusals
from activity_aggregates.api.edge.envelope import success
from activity_aggregates.api.edge.exchange import Exchange, exchange_of
from activity_aggregates.api.edge.refusals import Refused
from activity_aggregates.api.identity.tokens import Caller, Verifier
from activity_aggregates.api.readiness import Readiness
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.store import Store, answering

CALLER_DIGITS = 16  # of the hash by which the log knows a caller

router = APIRouter(redirect_slashes=False)


@dataclass(frozen=True)
class Serving:
    """What the routes of a process share."""

    store: Store
    readiness: Readiness
    verifier: Verifier
    metadata: Metadata
    listing: Listing
    metrics: list[Entry]
    max_body_bytes: int
    caller_secret: bytes

    def hashed(self, caller: Caller) -> str:
        """A caller as the log knows it: the same for the same, and nobody's id."""
        return digest(self.caller_secret, caller.user_id.encode(), "sha256").hex()[:CALLER_DIGITS]


@dataclass(frozen=True)
class Asked(Generic[Body]):
    """A request that passed its checks."""

    request: Request
    serving: Serving
    caller: Caller
    body: Body

    def answered(self, result: Callable[[Reads, Metadata, Listing, Caller, Any], Entry]) -> Response:
        """By a function of what is read with, how it is shown, who asks and what is asked for."""
        serving = self.serving
        with answering():
            reads = serving.store.reads(exchange_of(self.request.scope).deadline)
            found = result(reads, serving.metadata, serving.listing, self.caller, self.body.request)
            return success(self.request.scope, found)


def checked(model: type[Body]) -> Callable[[Request], Coroutine[Any, Any, Asked[Body]]]:
    """The checks of a request, in their order, as one dependency: FastAPI walks through nested ones again and again.

    It is a coroutine, which costs no change of thread; the routes wait for the store in threads.
    """

    async def asked(request: Request) -> Asked[Body]:
        serving: Serving = request.app.state.serving
        exchange = exchange_of(request.scope)
        raw = await received(request, exchange, serving.max_body_bytes)
        caller = serving.verifier.caller(request.headers)
        exchange.caller = serving.hashed(caller)
        given = read_json(raw)
        exchange.heard(given)
        return Asked(request, serving, caller, validated(model, given))

    return asked


async def received(request: Request, exchange: Exchange, limit: int) -> bytes:
    """The body, which is not read further than its limit; how long it is waited for is the request's own bound."""
    if announces_more(request.headers.get("content-length", ""), limit):
        raise Refused(refusals.too_large(limit))
    body = bytearray()
    exchange.is_receiving = True
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refused(refusals.too_large(limit))
    exchange.is_receiving = False
    return bytes(body)


def announces_more(length: str, limit: int) -> bool:
    """Whether a header announces more than so many bytes; of its digits, which the server has checked, any number.

    >>> [announces_more(length, 100) for length in ("", "100", "101", "0" * 5000 + "100", "9" * 5000)]
    [False, False, True, False, True]
    """
    digits = length.lstrip("0")
    return len(digits) > len(str(limit)) or int(digits or 0) > limit


@router.post(**openapi.operation("/data/group/agg", "groupAggregates", GroupBody, answers.GroupAnswer))
def group_agg(asked: Annotated[Asked[GroupBody], Depends(checked(GroupBody))]) -> Response:
    """The activities of a group with the numbers of all its members together."""
    return asked.answered(group_aggregates)


@router.post(**openapi.operation("/data/group/activity/agg", "groupActivity", ActivityBody, answers.ActivityAnswer))
def activity_agg(asked: Annotated[Asked[ActivityBody], Depends(checked(ActivityBody))]) -> Response:
    """One activity of a group, with every active member."""
    return asked.answered(activity_aggregates)


@router.post(
    **openapi.operation(
        "/v1/group/activity/agg", "earlierGroupActivity", EarlierActivityBody, answers.EarlierActivityAnswer
    ),
)
def earlier_activity_agg(
    asked: Annotated[Asked[EarlierActivityBody], Depends(checked(EarlierActivityBody))],
) -> Response:
    """One activity of a group in the shape of the earlier service."""
    return asked.answered(lambda reads, _, *others: earlier_activity_aggregates(reads, *others))


@router.post(**openapi.operation("/data/activity/agg", "activityAggregates", ContextBody, answers.ContextAnswer))
def context_agg(asked: Annotated[Asked[ContextBody], Depends(checked(ContextBody))]) -> Response:
    """One activity in one context, with its days; for services."""
    return asked.answered(context_aggregates)


@router.post(**openapi.operation("/data/activity/user/agg", "learnerAggregates", LearnerBody, answers.LearnerAnswer))
def learner_agg(asked: Annotated[Asked[LearnerBody], Depends(checked(LearnerBody))]) -> Response:
    """One learner's rows of one activity; for services and for the learner."""
    return asked.answered(learner_aggregates)


@router.get(**openapi.open_operation("/data/metrics", "metrics", answers.MetricsAnswer))
async def metrics(request: Request) -> Response:
    """Every metric that is computed: what it is called and what it means."""
    serving: Serving = request.app.state.serving
    return success(request.scope, {"metrics": serving.metrics})


@router.get(**openapi.open_operation("/health/live", "live", answers.HealthAnswer))
async def live(request: Request) -> Response:
    """Whether the process answers."""
    return success(request.scope, {"healthy": True})


@router.get(**openapi.open_operation("/health/ready", "ready", answers.HealthAnswer, may_fail=True))
async def ready(request: Request) -> Response:
    """Whether tokens can be checked, and the store answers a read like those that requests make."""
    serving: Serving = request.app.state.serving
    serving.verifier.check()
    await serving.readiness.check()
    return success(request.scope, {"healthy": True})
