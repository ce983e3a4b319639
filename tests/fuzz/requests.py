"""What reaches the API: bodies, headers, tokens and those of pages."""

from __future__ import annotations

import base64
import json
import time
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jwt
import orjson

from activity_aggregates.api.answering.activities import days_between
from activity_aggregates.api.answering.paging import Pages
from activity_aggregates.api.bodies import (
    ActivityBody,
    ActivityQuery,
    ContextBody,
    ContextQuery,
    EarlierActivityBody,
    GroupBody,
    LearnerBody,
    read_json,
    validated,
)
from activity_aggregates.api.edge.envelope import enveloped, failed
from activity_aggregates.api.edge.exchange import Exchange, begin
from activity_aggregates.api.edge.refusals import Refused
from activity_aggregates.api.identity.keys import KeyFile
from activity_aggregates.api.identity.tokens import Claims, TokenVerifier
from tests.fuzz.strange import as_bytes, changed_text, changed_tree, text
from tests.harness.api import AUDIENCE, ISSUER, key_pair

MODELS = (GroupBody, ActivityBody, EarlierActivityBody, ContextBody, LearnerBody)
PAGES = Pages(b"a secret of sixteen")
REQUEST = {
    "params": {"msgid": "m1"},
    "request": {
        "groupId": "g1", "activities": [{"id": "c1", "type": "Course"}], "fields": ["agg"],
        "activityId": "c1", "activityType": "Course", "limit": 10, "next": PAGES.token("u7", "g1", "u1"),
        "userId": "u1", "contextId": "cb:b1", "from": "2026-01-01", "to": "2026-01-31",
    },
}  # fmt: skip


def body(chance: Random, _: Path) -> str:
    """A body is taken or refused, and whatever is answered to it is an envelope of JSON."""
    raw = drawn_body(chance)
    exchange = begin([], 1)
    try:
        model, given = chance.choice(MODELS), read_json(raw)
        exchange.heard(given)
        _look_at(validated(model, given).request)
    except Refused as error:
        return _answered(exchange, error)
    return ""


def _look_at(query: Any) -> None:
    """What is done with a query before the store is asked."""
    if isinstance(query, ContextQuery):
        first, last = days_between(query.first, query.last)
        assert first <= last
    if isinstance(query, ActivityQuery) and query.next is not None:
        assert PAGES.last(query.next, query.groupId, "u1") == "u7"


def headers(chance: Random, folder: Path) -> str:
    """A caller is known by the token, or nobody is."""
    given = [
        (_name(chance), as_bytes(chance, _header(chance)).replace(b"\n", b""))
        for _ in range(chance.choice([1, 1, 2, 3]))
    ]
    exchange = begin(given, 1)
    try:
        caller = _verifier(folder).caller({name.decode("latin-1"): held.decode("latin-1") for name, held in given})
    except Refused as error:
        return _answered(exchange, error)
    assert caller.user_id.strip()
    return ""


def _answered(exchange: Exchange, error: Refused) -> str:
    """The refusal as it goes over the wire."""
    refusal = error.refusal
    assert 400 <= refusal.status < 500
    params = failed(refusal, exchange.resmsgid, exchange.msgid)
    assert orjson.loads(enveloped("/", refusal.response_code, params, {}))["params"]["status"] == "failed"
    return refusal.err


def drawn_body(chance: Random) -> bytes:
    tree: Any = REQUEST
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        tree = changed_tree(chance, tree)
    if chance.random() < 0.02:
        levels = chance.randint(50, 5000)
        return (b"[" * levels) + (b"]" * chance.choice([0, levels]))
    content = json.dumps(tree, ensure_ascii=chance.random() < 0.5)
    return as_bytes(chance, changed_text(chance, content) if chance.random() < 0.4 else content)


def _name(chance: Random) -> bytes:
    names = [
        "authorization",
        "authorization",
        "x-authenticated-user-token",
        "x-authenticated-for",
        "x-msgid",
        "accept-encoding",
        "origin",
    ]
    return chance.choice(names).encode()


def _header(chance: Random) -> str:
    token = _token(chance)
    held = chance.choice(
        [f"Bearer {token}", f"Bearer {token}", token, f"bearer  {token}", f"Basic {token}", text(chance)]
    )
    return changed_text(chance, held) if chance.random() < 0.3 else held


def _token(chance: Random) -> str:
    """A right token, one of strange claims that is rightly signed, or one whose head or claims are another's."""
    claims: Any = {"iss": ISSUER, "aud": AUDIENCE, "sub": "f:realm:u1", "exp": int(time.time()) + 600, "parentId": "u1"}
    if chance.random() < 0.5:
        claims = changed_tree(chance, claims)
    head: Any = {"alg": "ES256", "typ": "JWT", "kid": "k"}
    if chance.random() < 0.3:
        head = changed_tree(chance, head)
    if chance.random() < 0.15:
        return _signed(json.dumps(claims))
    parts = (json.dumps(head), json.dumps(claims), chance.choice(["", "x" * 64, text(chance)]))
    return ".".join(_encoded(part) for part in parts)


def _encoded(part: str) -> str:
    return base64.urlsafe_b64encode(part.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def _signed(claims: str) -> str:
    keys = _keys()
    signer = jwt.get_algorithm_by_name(keys.algorithm)
    signed = f"{_encoded(json.dumps({'alg': keys.algorithm}))}.{_encoded(claims)}"
    signature = signer.sign(signed.encode(), signer.prepare_key(keys.private))
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


_keys = cache(key_pair)


@cache
def _verifier(folder: Path) -> TokenVerifier:
    file = folder / "public.pem"
    file.write_bytes(_keys().public)
    claims = Claims(ISSUER, (AUDIENCE,), leeway=0, user_id="sub", scope="scope")
    return TokenVerifier(KeyFile(file, [_keys().algorithm]), claims)
