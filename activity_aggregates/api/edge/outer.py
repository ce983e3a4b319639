"""Around every request: its time as a whole, who may ask from a web page, and what is noted of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activity_aggregates.api.edge import figures, logs
from activity_aggregates.api.edge.envelope import failure
from activity_aggregates.api.edge.exchange import KEY, Exchange, begin
from activity_aggregates.api.edge.refusals import REQUEST_TIMEOUT, TOO_SLOW

ANY_ORIGIN = "*"
NOWHERE = "/"  # a path without a route
PREFLIGHT_SECONDS = 600  # how long a browser need not ask again whether it may
ASKED_WITH = b"authorization, content-type, x-authenticated-user-token, x-authenticated-for, x-msgid"

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Manners:
    """How requests are met: seconds that one may take, origins that may ask, whether each is noted."""

    request_seconds: float
    origins: frozenset[str]
    notes: bool


class Outer:
    """The application as the server calls it."""

    def __init__(self, app: ASGIApp, manners: Manners) -> None:
        self._app = app
        self._manners = manners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[KEY] = begin(scope["headers"], self._manners.request_seconds)
        # Routes know GET; what is sent of the answer to HEAD is the server's to know.
        routed = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        if scope["path"].endswith("\n"):  # which the end of a route's pattern would pass over
            routed = {**routed, "path": NOWHERE}
        answered = sending(send, exchange, self._shared(scope["headers"]))
        try:
            async with asyncio.timeout(self._manners.request_seconds):
                if self._manners.origins and is_preflight(scope):
                    await preflight(answered)
                else:
                    await self._app(routed, receive, answered)
        except TimeoutError:
            if exchange.status is None:
                refusal = REQUEST_TIMEOUT if exchange.is_receiving else TOO_SLOW
                await failure(scope, refusal)(scope, receive, answered)
        finally:
            self._noted(scope, exchange)

    def _shared(self, headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
        """What tells a browser that a page may read the answer; nothing where no origin may, or none is named."""
        origins = self._manners.origins
        origin = next((value for name, value in headers if name == b"origin"), None) if origins else None
        if origin is None or (ANY_ORIGIN not in origins and origin.decode("latin-1") not in origins):
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]

    def _noted(self, scope: Scope, exchange: Exchange) -> None:
        seconds, status = time.monotonic() - exchange.began, exchange.status or 500
        figures.answered(scope["path"], status, seconds)
        if self._manners.notes:
            route = f"{scope['method']} {scope['path'] if scope['path'] in figures.ROUTES else 'other'}"
            logs.request(route, status, seconds, exchange.resmsgid, exchange.caller, exchange.msgid)


def sending(send: Send, exchange: Exchange, shared: Sequence[tuple[bytes, bytes]]) -> Send:
    """Sends, and notes with which status the answer begins."""

    async def noted(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            if shared:
                message = {**message, "headers": [*message["headers"], *shared]}
        await send(message)

    return noted


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks if a page may ask."""
    return scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)


async def preflight(send: Send) -> None:
    """The answer is the same for every origin: one that may not ask lacks the header that `sending` adds."""
    headers = [
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", ASKED_WITH),
        (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
