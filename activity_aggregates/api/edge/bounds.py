"""What bounds a connection before anybody has looked at what is asked: its number, its headers, its time."""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import uvicorn
from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from activity_aggregates.api.edge import figures, logs
from activity_aggregates.api.edge.envelope import bare_failure
from activity_aggregates.api.edge.refusals import (
    HEADERS_TOO_LARGE,
    NOT_HTTP,
    REQUEST_TIMEOUT,
    TOO_MANY_CONNECTIONS,
    Refusal,
)

MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
FIELD_BYTES = 4  # what stands around a name and its value
LINGER_SECONDS = 1.0  # how long a client that is still sending may do so before it reads why that is in vain
MERCY_SECONDS = 0.05  # between the end of the time and the end of the connection
OTHER_DESCRIPTORS = 200  # files and sockets of a worker that are not connections of clients

# The parser drops the body of a request that wishes for another protocol, and takes it for the next request. No other
# is spoken here, and a server may pass the wish over (RFC 9110, 7.8), so the parser is not told of it. No line of JSON
# begins like that.
_UPGRADE = re.compile(rb"^upgrade(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE)
_PASSED_OVER = b"ignored"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bounds:
    """How many connections a worker holds, and how long one may be idle or take to send the head of a request.

    What is refused before it is a request is noted with the others where `notes` says so.
    """

    connections: int
    idle_seconds: float
    notes: bool


class Config(uvicorn.Config):
    """What a server needs, with the bounds of its connections."""

    def __init__(self, app: Any, bounds: Bounds, **others: Any) -> None:
        super().__init__(app, http=BoundedProtocol, **others)
        self.bounds = bounds


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head that is too large or too slow ends it, with a reason where there is one to be told."""

    config: Config

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._is_in_head = True
        self._received = 0  # bytes of a head that has not ended
        self._head_bytes = 0
        self._headers = 0
        self._refusal = NOT_HTTP
        self._has_ended = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes of answers when the timer was set

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._began = time.monotonic()
        super().connection_made(transport)
        if len(self.connections) > self.config.bounds.connections:
            _log.warning(
                "a worker has %d connections, as many as api.max_connections allows", len(self.connections) - 1
            )
            self._end(TOO_MANY_CONNECTIONS, lingers=False)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_ended:
            return
        if self._is_in_head:
            self._received += len(data)
            data = _UPGRADE.sub(_PASSED_OVER, data)
        super().data_received(data)
        if self._is_in_head and self._received > MOST_HEADER_BYTES and not self._has_ended:
            self._end(HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._began = time.monotonic()
        self._head_bytes = self._headers = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        self._count(len(name) + len(value) + FIELD_BYTES)
        if self._is_in_head:  # what follows a body in chunks would be taken for headers, where it came early enough
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._received = 0
        self._stop_waiting()
        if self.parser.should_upgrade():  # the name of the header came in two parts
            raise HttpParserError("its body would be taken for a request")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self._wait()

    def send_400_response(self, msg: str) -> None:
        self._end(self._refusal)

    def timeout_keep_alive_handler(self) -> None:
        """The timer of this class says it."""

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEADER_BYTES or self._headers > MOST_HEADERS:
            self._refusal = HEADERS_TOO_LARGE
            raise HttpParserError("the head is too large")

    def _wait(self) -> None:
        self._stop_waiting()
        self._unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self.config.bounds.idle_seconds, self._due)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        """What has come in meanwhile is read first: a process that had to wait itself must not blame its clients."""
        self._timer = self.loop.call_later(MERCY_SECONDS, self._expired)

    def _expired(self) -> None:
        """Who still reads an answer may go on; who has begun to send is told why the connection ends."""
        left = self.transport.get_write_buffer_size()
        if 0 < left < self._unsent:
            self._wait()
        elif self._is_in_head and self._received and not left:
            self._end(REQUEST_TIMEOUT)
        else:
            self.transport.abort()

    def _end(self, refusal: Refusal, lingers: bool = True) -> None:
        """Refuses and ends the connection.

        To close it while data are on their way would take the answer from a client that has not read it yet.
        """
        self._has_ended = True
        self._stop_waiting()
        self._unset_keepalive_if_required()
        figures.refused_early(refusal.status)
        resmsgid = str(uuid4())
        if self.config.bounds.notes:
            logs.request(logs.EARLY, refusal.status, time.monotonic() - self._began, resmsgid)
        self.transport.write(bare_failure(refusal, resmsgid))
        cycle: RequestResponseCycle | None = self.cycle
        is_idle = cycle is None or cycle.response_complete
        if lingers and is_idle and self.transport.can_write_eof():
            self.transport.write_eof()
            self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()


def connections_allowed(wanted: int) -> int:
    """How many connections a worker can hold: at the limit of descriptors they could not even be refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_DESCRIPTORS
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = max(1, min(wanted, soft - OTHER_DESCRIPTORS))
    if allowed < wanted:
        _log.warning(
            "api.max_connections is %d and this process may open %d files: it holds %d connections; raise the limit of "
            "open files (ulimit -n)",
            wanted,
            soft,
            allowed,
        )
    return allowed
