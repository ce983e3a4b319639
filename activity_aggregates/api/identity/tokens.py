"""Who asks: the caller that a signed token names, and the user that the caller may act for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import jwt
from jwt.exceptions import InvalidIssuerError, InvalidSignatureError, PyJWTError

from activity_aggregates.api.edge.refusals import UNAUTHORIZED, Refused
from activity_aggregates.api.identity.keys import Key, KeyFile
from activity_aggregates.api.identity.reasons import (
    NO_TOKEN,
    NO_USER,
    NOT_THE_PARENT,
    TOO_LONG,
    UNKNOWN_KEY,
    Reasons,
    reason_of,
)

SERVICE_SCOPE = "aggregates:read"
PARENT = "parentId"  # the claim of a managed user's token that says whose it is
MAX_TOKEN_LENGTH = 8192  # characters
MOST_KNOWN = 10_000  # tokens

Claimed = Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """The user that is served; a service may read every group."""

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
    """What a token has to say, and which of its claims say who it is. Without `audiences` theirs is not looked at."""

    issuer: str
    audiences: tuple[str, ...]
    leeway: float
    user_id: str
    scope: str


@dataclass(frozen=True)
class Known:
    """Whom a token names, by which keys, and until when (in seconds since the epoch) it is good."""

    caller: Caller
    parent: str | None
    keys: Sequence[Key]
    until: float


class NotAccepted(Exception):
    """A token that is refused for a reason of this module's own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenVerifier:
    """Verifies signed tokens with the keys of a file; those that were good are known until they or the keys end."""

    def __init__(self, keys: KeyFile, claims: Claims) -> None:
        # By what it is taken for and its digest: tokens themselves are not kept.
        self._known: dict[tuple[bool, bytes], Known] = {}
        self._keys = keys
        self._claims = claims
        self._reasons = Reasons()

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """The user that is served: the caller, or the one that the caller manages and asks for."""
        try:
            caller = self._named(token_of(headers), is_managed=False).caller
            if managed := headers.get("x-authenticated-for"):
                caller = self._managed(managed, caller)
        except (NotAccepted, PyJWTError, ArithmeticError, RecursionError, TypeError, ValueError) as error:
            self._reasons.say(error.reason if isinstance(error, NotAccepted) else reason_of(error))
            raise Refused(UNAUTHORIZED) from error
        return caller

    def check(self) -> None:
        self._keys.current()

    def _managed(self, token: str, caller: Caller) -> Caller:
        known = self._named(token, is_managed=True)
        if known.parent != caller.user_id:
            raise NotAccepted(NOT_THE_PARENT)
        return known.caller

    def _named(self, token: str | None, is_managed: bool) -> Known:
        if not token:
            raise NotAccepted(NO_TOKEN)
        if len(token) > MAX_TOKEN_LENGTH:
            raise NotAccepted(TOO_LONG)
        # One that names a managed user says nothing of a caller, and the other way round.
        keys, known_by = self._keys.current(), (is_managed, sha256(token.encode()).digest())
        known = self._known.get(known_by)
        if known and known.keys is keys and time.time() < known.until:
            return known
        claims = self._verified(token, is_managed)
        until = int(claims["exp"]) + self._claims.leeway
        if is_managed:
            known = Known(Caller(user_of(claims["sub"]), is_service=False), user_of(claims[PARENT]), keys, until)
        else:
            known = Known(self._caller(claims), None, keys, until)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[known_by] = known
        return known

    def _verified(self, token: str, is_managed: bool) -> Claimed:
        header = jwt.get_unverified_header(token)
        candidates = self._keys.candidates(header.get("kid"), header.get("alg", ""))
        decoded = self._decoded_managed if is_managed else self._decoded
        for key in candidates[:-1]:
            try:
                return decoded(token, key)
            except InvalidSignatureError:
                continue
        if not candidates:
            raise NotAccepted(UNKNOWN_KEY)
        return decoded(token, candidates[-1])

    def _decoded(self, token: str, key: Key) -> Claimed:
        # The algorithm is the key's, never the token's choice.
        audiences = self._claims.audiences
        required = ["exp", "iss", self._claims.user_id, *(["aud"] if audiences else [])]
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=audiences or None,
            issuer=self._claims.issuer,
            leeway=self._claims.leeway,
            options={"require": required, "verify_aud": bool(audiences)},
        )

    def _decoded_managed(self, token: str, key: Key) -> Claimed:
        """The platform signs these with the same keys, without an audience and mostly without an issuer."""
        claims: Claimed = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            leeway=self._claims.leeway,
            options={"require": ["exp", "sub", PARENT], "verify_aud": False},
        )
        if claims.get("iss", self._claims.issuer) != self._claims.issuer:
            raise InvalidIssuerError
        return claims

    def _caller(self, claims: Claimed) -> Caller:
        scope = claims.get(self._claims.scope, "")
        scopes = scope.split() if isinstance(scope, str) else scope
        is_service = isinstance(scopes, list) and SERVICE_SCOPE in scopes
        return Caller(user_of(claims[self._claims.user_id]), is_service)


class NobodyVerifier:
    """Lets everybody read everything: for a server that only this machine reaches."""

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("", is_service=True)

    def check(self) -> None:
        """Nothing is needed."""


def user_of(claim: object) -> str:
    """The user id in a claim; raises NotAccepted where there is none, ValueError where it is not a text of characters.

    >>> user_of("f:realm:u1")
    'u1'
    """
    user_id = str(claim).rpartition(":")[2]
    if not user_id.strip():
        raise NotAccepted(NO_USER)
    user_id.encode()  # half of a pair has no bytes
    return user_id


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
