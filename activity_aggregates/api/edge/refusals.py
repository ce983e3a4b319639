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
    """The client may go on sending for as long as a connection may be idle, so that it reads this; nobody listens."""
    return Refusal(413, CLIENT_ERROR, "PAYLOAD_TOO_LARGE", f"The request body is larger than {limit} bytes.")


def invalid(errmsg: str) -> Refusal:
    return Refusal(400, CLIENT_ERROR, "INVALID_REQUESTED_DATA", errmsg)


UNAUTHORIZED = Refusal(
    401, "UNAUTHORIZED", "UNAUTHORIZED_USER", "You are not authorized.", {"www-authenticate": "Bearer"}
)
GROUP_ID_MISSING = Refusal(400, CLIENT_ERROR, "GROUP_ID_MISSING", "GroupId is mandatory.")
ACTIVITY_ID_MISSING = Refusal(400, CLIENT_ERROR, "ACTIVITY_ID_MISSING", "ActivityId is mandatory.")
ACTIVITY_TYPE_MISSING = Refusal(400, CLIENT_ERROR, "ACTIVITY_TYPE_MISSING", "ActivityType is mandatory.")
CONTEXT_ID_MISSING = Refusal(400, CLIENT_ERROR, "CONTEXT_ID_MISSING", "ContextId is mandatory.")
USER_ID_MISSING = Refusal(400, CLIENT_ERROR, "USER_ID_MISSING", "UserId is mandatory.")
# The same for a group that exists and one that does not: outsiders learn nothing.
FORBIDDEN = Refusal(403, "FORBIDDEN", "FORBIDDEN", "You are not a member of this group.")
NOT_A_SERVICE = Refusal(403, "FORBIDDEN", "FORBIDDEN", "This is for services with the scope aggregates:read.")
NOT_THE_LEARNER = Refusal(403, "FORBIDDEN", "FORBIDDEN", "This is for services and for the learner alone.")
GROUP_NOT_FOUND = Refusal(404, RESOURCE_NOT_FOUND, "GROUP_NOT_FOUND", "There is no such group.")
ACTIVITY_NOT_FOUND = Refusal(404, RESOURCE_NOT_FOUND, "ACTIVITY_NOT_FOUND", "The group has no such activity.")
NO_SUCH_ACTIVITY = Refusal(404, RESOURCE_NOT_FOUND, "ACTIVITY_NOT_FOUND", "The context has no such activity.")


def unavailable(errmsg: str) -> Refusal:
    return Refusal(503, "SERVICE_UNAVAILABLE", "SERVICE_UNAVAILABLE", errmsg, {"retry-after": "5"})


UNAVAILABLE = unavailable("The aggregates cannot be read right now: try again.")
TOO_SLOW = unavailable("The request could not be answered in time: try again.")
TOO_MANY_READS = unavailable("This would take more reads than one request may make.")
TOO_MANY_CONNECTIONS = unavailable("There are too many connections: try again.")
# The server ends the connection after it, which has to be said.
INTERNAL_ERROR = Refusal(
    500, "SERVER_ERROR", "INTERNAL_ERROR", "The request could not be answered.", {"connection": "close"}
)
# What is refused on the way in, before anybody has looked at what is asked.
NOT_HTTP = Refusal(400, CLIENT_ERROR, "BAD_REQUEST", "This is not a request of HTTP.")
HEADERS_TOO_LARGE = Refusal(
    431, CLIENT_ERROR, "REQUEST_HEADER_FIELDS_TOO_LARGE", "The headers are too large or too many."
)
REQUEST_TIMEOUT = Refusal(
    408, CLIENT_ERROR, "REQUEST_TIMEOUT", "The request did not arrive in time.", {"connection": "close"}
)
