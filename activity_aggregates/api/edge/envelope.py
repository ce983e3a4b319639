"""The envelope that every answer of the API comes in, as other services of the platform send it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from starlette.types import Scope

from activity_aggregates.api.edge.exchange import exchange_of
from activity_aggregates.api.edge.refusals import Refusal

VERSION = "v1"
SMALLEST_ZIPPED = 1024  # bytes
ZIP_LEVEL = 1  # the quickest: numbers and repeated names shrink to a tenth with any
GZIP = zlib.MAX_WBITS | 16

# By path; what is asked of any other path is answered as OTHER.
API_IDS = {
    "/data/group/agg": "api.data.group.agg",
    "/data/group/activity/agg": "api.data.group.activity.agg",
    "/data/activity/agg": "api.data.activity.agg",
    "/data/activity/user/agg": "api.data.activity.user.agg",
    "/data/metrics": "api.data.metrics",
    "/v1/group/activity/agg": "api.group.activity.agg",
    "/health/live": "api.health.live",
    "/health/ready": "api.health.ready",
}
OTHER = "api.unknown"

Params = Mapping[str, str | None]

# Who a group's members are and how they do is nobody's to keep.
_KEPT_BY_NOBODY = {"cache-control": "no-store", "vary": "accept-encoding"}


def success(scope: Scope, result: Mapping[str, Any]) -> Response:
    exchange = exchange_of(scope)
    params = {"resmsgid": exchange.resmsgid, "msgid": exchange.msgid, "status": "success", "err": None, "errmsg": None}
    return answer(scope, enveloped(scope["path"], "OK", params, result), 200, _KEPT_BY_NOBODY)


def failure(scope: Scope, refusal: Refusal) -> Response:
    exchange = exchange_of(scope)
    content = enveloped(scope["path"], refusal.response_code, failed(refusal, exchange.resmsgid, exchange.msgid), {})
    return answer(scope, content, refusal.status, {**_KEPT_BY_NOBODY, **refusal.headers})


def answer(scope: Scope, content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """An answer of JSON, zipped where it is large and the client takes that."""
    if len(content) > SMALLEST_ZIPPED and exchange_of(scope).zips:
        packer = zlib.compressobj(ZIP_LEVEL, zlib.DEFLATED, GZIP)
        content = packer.compress(content) + packer.flush()
        headers = {**headers, "content-encoding": "gzip"}
    return Response(content, status, dict(headers), "application/json")


def bare_failure(refusal: Refusal, resmsgid: str) -> bytes:
    """A refusal as HTTP, for what is refused before it is a request; the connection ends with it."""
    content = enveloped("", refusal.response_code, failed(refusal, resmsgid, None), {})
    headers = {
        **_KEPT_BY_NOBODY,
        **refusal.headers,
        "content-type": "application/json",
        "content-length": str(len(content)),
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def failed(refusal: Refusal, resmsgid: str, msgid: str | None) -> Params:
    return {
        "resmsgid": resmsgid,
        "msgid": msgid,
        "status": "failed",
        "err": refusal.err,
        "errmsg": refusal.errmsg,
    }


def enveloped(path: str, response_code: str, params: Params, result: Mapping[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "id": API_IDS.get(path, OTHER),
            "ver": VERSION,
            "ts": _timestamp(datetime.now(UTC)),
            "params": params,
            "responseCode": response_code,
            "result": result,
        }
    )


def _timestamp(instant: datetime) -> str:
    """The platform's own format.

    >>> _timestamp(datetime(2026, 1, 5, 8, 30, 0, 25000, tzinfo=UTC))
    '2026-01-05 08:30:00:025+0000'
    """
    return f"{instant:%Y-%m-%d %H:%M:%S}:{instant.microsecond // 1000:03d}+0000"
