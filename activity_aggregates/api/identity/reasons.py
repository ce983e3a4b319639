"""Why tokens are refused: said in the log, each reason once a minute, and counted. What is said is never of a token."""

from __future__ import annotations

import logging
import time

from jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
)

from activity_aggregates.api.edge import figures

SELDOM_SECONDS = 60.0

NO_TOKEN = "no token was sent"
TOO_LONG = "it is too long"
UNKNOWN_KEY = "no key is known by its kid and alg"
NO_USER = "it names no user"
NOT_THE_PARENT = "x-authenticated-for is of a user whom the caller does not manage"
UNREADABLE = "it is not a readable token"
# The first that fits; a missing claim is named, for it is one of those that are asked for.
KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ExpiredSignatureError, "it has expired"),
    (ImmatureSignatureError, "it is not good yet"),
    (InvalidIssuedAtError, "it was issued in the future"),
    (InvalidIssuerError, "its iss is not api.issuer"),
    (InvalidAudienceError, "its aud is not of api.audience"),
    (InvalidSignatureError, "its signature is not of a known key"),
    (InvalidAlgorithmError, UNKNOWN_KEY),
    (DecodeError, UNREADABLE),
)

_log = logging.getLogger(__name__)


class Reasons:
    """Says a reason unless it was said lately."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, reason: str) -> None:
        figures.figures().refused_tokens.labels(reason).inc()
        now = time.monotonic()
        if now - self._said.get(reason, float("-inf")) >= SELDOM_SECONDS:
            self._said[reason] = now
            _log.warning("401: a token was refused: %s", reason)


def reason_of(error: Exception) -> str:
    """The reason in few words of our own: the library's may quote what was sent.

    >>> reason_of(ExpiredSignatureError("Signature has expired")), reason_of(MissingRequiredClaimError("exp"))
    ('it has expired', 'it has no exp')
    """
    if isinstance(error, MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return next((reason for kind, reason in KINDS if isinstance(error, kind)), UNREADABLE)
