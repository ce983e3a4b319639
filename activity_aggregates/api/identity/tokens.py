"""Who asks: the caller that a signed token names."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import jwt
from jwt.exceptions import InvalidSignatureError, PyJWTError

from activity_aggregates.api.identity.keys import Key, KeyFile
from activity_aggregates.api.edge.refusals import UNAUTHORIZED, Refused

SERVICE_SCOPE = "aggregates:read"
MAX_TOKEN_LENGTH = 8192  # characters
MOST_KNOWN = 10_000  # tokens

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """The user that asks; a service may read every group."""

    user_id: str
    is_service: bool


class Verifier(Protocol):
    """Tells who sent a request by its headers."""

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Raises the refusal UNAUTHORIZED."""

    def check(self) -> None:
        """Raises Unreachable where nobody could be recognised."""


@dataclass(frozen=True)
class Claims:
    """What a token has to say, and which of its claims say who it is."""

    issuer: str
    audience: str
    leeway: float
    user_id: str
    scope: str


@dataclass(frozen=True)
class Known:
    """Whom a token names, by which keys, and until when (in seconds since the epoch) it is good."""

    caller: Caller
    keys: Sequence[Key]
    until: float


class TokenVerifier:
    """Verifies signed tokens with the keys of a file; those that were good are known until they or the keys end."""

    def __init__(self, keys: KeyFile, claims: Claims) -> None:
        self._known: dict[bytes, Known] = {}  # by digest: tokens themselves are not kept
        self._keys = keys
        self._claims = claims

    def caller(self, headers: Mapping[str, str]) -> Caller:
        token = token_of(headers)
        if token is None or len(token) > MAX_TOKEN_LENGTH:
            raise Refused(UNAUTHORIZED)
        keys, digest = self._keys.current(), sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known and known.keys is keys and time.time() < known.until:
            return known.caller
        try:
            claims = self._verified(token)
            caller = self._caller(claims)
        except (PyJWTError, RecursionError, ValueError) as error:
            _log.debug("a token was refused: %s", error)
            raise Refused(UNAUTHORIZED) from error
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = Known(caller, keys, int(claims["exp"]) + self._claims.leeway)
        return caller

    def check(self) -> None:
        self._keys.current()

    def _verified(self, token: str) -> Mapping[str, Any]:
        header = jwt.get_unverified_header(token)
        candidates = self._keys.candidates(header.get("kid"), header.get("alg", ""))
        for key in candidates[:-1]:
            try:
                return self._decoded(token, key)
            except InvalidSignatureError:
                continue
        if not candidates:
            raise InvalidSignatureError("no key is known by its kid and alg")
        return self._decoded(token, candidates[-1])

    def _decoded(self, token: str, key: Key) -> Mapping[str, Any]:
        # The algorithm is the key's, never the token's choice.
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=self._claims.audience,
            issuer=self._claims.issuer,
            leeway=self._claims.leeway,
            options={"require": ["exp", "iss", "aud", self._claims.user_id]},
        )

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        user_id = str(claims[self._claims.user_id]).rpartition(":")[2]
        if not user_id.strip():
            raise Refused(UNAUTHORIZED)
        scope = claims.get(self._claims.scope, "")
        scopes = scope.split() if isinstance(scope, str) else scope
        return Caller(user_id, isinstance(scopes, list) and SERVICE_SCOPE in scopes)


class NobodyVerifier:
    """Lets everybody read everything: for a server that only this machine reaches."""

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("", is_service=True)

    def check(self) -> None:
        """Nothing is needed."""


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token of a request. Where a gateway's own key is in `Authorization`, the user's is in the other header.

    >>> token_of({"authorization": "Bearer abc"}), token_of({"authorization": "Basic abc"})
    ('abc', None)
    >>> token_of({"authorization": "Bearer of-the-gateway", "x-authenticated-user-token": "abc"})
    'abc'
    """
    if own := headers.get("x-authenticated-user-token"):
        return own
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
