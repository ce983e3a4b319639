"""What the API refuses, with the codes and sentences that clients rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CLIENT_ERROR = "CLIENT_ERROR"
RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"


@dataclass(frozen=True)
class Refusal:
    """An HTTP status, a response code of the envelope, and its `err` and `errmsg`."""

    status: int
    response_code: str
    err: str
    errmsg: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Ends a request with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.errmsg)
        self.refusal = refusal


def too_large(limit: int) -> Refusal:
    return Refusal(413, CLIENT_ERROR, "PAYLOAD_TOO_LARGE", f"The request body is larger than {limit} bytes.")


def invalid(errmsg: str) -> Refusal:
    return Refusal(400, CLIENT_ERROR, "INVALID_REQUESTED_DATA", errmsg)


UNAUTHORIZED = Refusal(
    401, "UNAUTHORIZED", "UNAUTHORIZED_USER", "You are not authorized.", {"www-authenticate": "Bearer"}
)
GROUP_ID_MISSING = Refusal(400, CLIENT_ERROR, "GROUP_ID_MISSING", "GroupId is mandatory.")
ACTIVITY_ID_MISSING = Refusal(400, CLIENT_ERROR, "ACTIVITY_ID_MISSING", "ActivityId is mandatory.")
ACTIVITY_TYPE_MISSING = Refusal(400, CLIENT_ERROR, "ACTIVITY_TYPE_MISSING", "ActivityType is mandatory.")
# The same for a group that exists and one that does not: outsiders learn nothing.
FORBIDDEN = Refusal(403, "FORBIDDEN", "FORBIDDEN", "You are not a member of this group.")
GROUP_NOT_FOUND = Refusal(404, RESOURCE_NOT_FOUND, "GROUP_NOT_FOUND", "There is no such group.")
ACTIVITY_NOT_FOUND = Refusal(404, RESOURCE_NOT_FOUND, "ACTIVITY_NOT_FOUND", "The group has no such activity.")
UNAVAILABLE = Refusal(
    503,
    "SERVICE_UNAVAILABLE",
    "SERVICE_UNAVAILABLE",
    "The aggregates cannot be read right now: try again.",
    {"retry-after": "5"},
)
INTERNAL_ERROR = Refusal(500, "SERVER_ERROR", "INTERNAL_ERROR", "The request could not be answered.")
