"""The envelope that every answer of the API comes in, as other services of the platform send it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from fastapi import Response

from activity_aggregates.api.edge.refusals import Refusal

VERSION = "v1"

# By path; what is asked of any other path is answered as OTHER.
API_IDS = {
    "/data/group/agg": "api.data.group.agg",
    "/data/group/activity/agg": "api.data.group.activity.agg",
    "/v1/group/activity/agg": "api.group.activity.agg",
    "/health/live": "api.health.live",
    "/health/ready": "api.health.ready",
}
OTHER = "api.unknown"


def success(path: str, result: Mapping[str, Any]) -> Response:
    return _response(path, 200, "OK", {"status": "success", "err": None, "errmsg": None}, result, {})


def failure(path: str, refusal: Refusal) -> Response:
    params = {"status": "failed", "err": refusal.err, "errmsg": refusal.errmsg}
    return _response(path, refusal.status, refusal.response_code, params, {}, refusal.headers)


def _response(
    path: str,
    status: int,
    response_code: str,
    params: Mapping[str, str | None],
    result: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response:
    content = {
        "id": API_IDS.get(path, OTHER),
        "ver": VERSION,
        "ts": _timestamp(datetime.now(UTC)),
        "params": {"resmsgid": str(uuid4()), "msgid": None, **params},
        "responseCode": response_code,
        "result": result,
    }
    # Who a group's members are and how they do is nobody's to keep.
    kept = {"cache-control": "no-store", **headers}
    # Attributes of users may be of any type that Cassandra knows.
    return Response(orjson.dumps(content, default=str), status, kept, "application/json")


def _timestamp(instant: datetime) -> str:
    """The platform's own format.

    >>> _timestamp(datetime(2026, 1, 5, 8, 30, 0, 25000, tzinfo=UTC))
    '2026-01-05 08:30:00:025+0000'
    """
    return f"{instant:%Y-%m-%d %H:%M:%S}:{instant.microsecond // 1000:03d}+0000"
