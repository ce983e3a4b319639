"""Which tokens are accepted."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from tests.harness.api import AUDIENCE, GROUP, ISSUER, Api, key_pair, refusal

BODY = {"request": {"groupId": "g1"}}
UNAUTHORIZED = (401, "UNAUTHORIZED", "UNAUTHORIZED_USER", "You are not authorized.")


def unsigned(header: object, claims: object, signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join([*parts, signature])


def good_claims(**other: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "exp": int(time.time()) + 600, **other}


@pytest.mark.parametrize("subject", ["u1", "f:realm:u1", "a:b:c:u1"])
def test_the_user_is_what_follows_the_last_colon(api: Api, subject: str) -> None:
    assert api.post(GROUP, BODY, api.keys.token(sub=subject)).status_code == 200


def test_the_platforms_own_header_wins_over_a_gateways_key(api: Api) -> None:
    own = {"x-authenticated-user-token": api.keys.token()}
    assert api.client.post(GROUP, json=BODY, headers=own).status_code == 200
    gateways = {"authorization": "Bearer of-the-gateway", **own}
    assert api.client.post(GROUP, json=BODY, headers=gateways).status_code == 200


def test_a_clock_that_is_a_little_off_is_forgiven(api: Api) -> None:
    assert api.post(GROUP, BODY, api.keys.token(exp=int(time.time()) - 5)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1767225600},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 4102444800},
        {"iss": "https://another.example.org"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"sub": "f:realm:"},
    ],
)
def test_claims_that_do_not_fit_are_refused(api: Api, claims: dict[str, Any]) -> None:
    assert refusal(api.post(GROUP, BODY, api.keys.token(**claims))) == UNAUTHORIZED


def test_a_tampered_token_is_refused(api: Api) -> None:
    header, claims, signature = api.keys.token("u9").split(".")
    others = base64.urlsafe_b64encode(json.dumps(good_claims()).encode()).decode().rstrip("=")
    assert refusal(api.post(GROUP, BODY, f"{header}.{others}.{signature}")) == UNAUTHORIZED
    assert refusal(api.post(GROUP, BODY, f"{header}.{claims}.{signature[::-1]}")) == UNAUTHORIZED


def test_another_key_is_refused(api: Api) -> None:
    assert refusal(api.post(GROUP, BODY, key_pair().token())) == UNAUTHORIZED
    assert refusal(api.post(GROUP, BODY, key_pair("RS256").token())) == UNAUTHORIZED


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["none"], "HS256"])
def test_a_token_does_not_choose_its_algorithm(api: Api, algorithm: object) -> None:
    assert refusal(api.post(GROUP, BODY, unsigned({"alg": algorithm, "typ": "JWT"}, good_claims()))) == UNAUTHORIZED


def test_the_public_key_is_no_secret_to_sign_with(api: Api) -> None:
    header, claims = unsigned({"alg": "HS256", "typ": "JWT"}, good_claims()).split(".")[:2]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{header}.{claims}".encode(), api.keys.public
    )
    token = f"{header}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert refusal(api.post(GROUP, BODY, token)) == UNAUTHORIZED


@pytest.mark.parametrize("token", ["", " x", " a.b.c", " é.é.é", " " + "x" * 9000, " W10.W10.W10", "x"])
def test_what_is_no_token_is_refused(api: Api, token: str) -> None:
    headers = [(b"authorization", b"Bearer" + token.encode("latin-1"))]
    assert refusal(api.client.post(GROUP, json=BODY, headers=headers)) == UNAUTHORIZED


def test_a_header_that_is_nested_without_end_is_refused(api: Api) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 5000).decode()
    assert refusal(api.post(GROUP, BODY, f"{nested}.e30.e30")) == UNAUTHORIZED


@pytest.mark.parametrize("scope", ["aggregates:write", "xaggregates:read", 7, {"aggregates:read": True}, None])
def test_another_scope_makes_no_service(api: Api, scope: object) -> None:
    assert refusal(api.post(GROUP, BODY, api.keys.token("u9", scope=scope)))[0] == 403


def test_scopes_may_be_a_list(api: Api) -> None:
    assert api.post(GROUP, BODY, api.keys.token("u9", scope=["aggregates:read"])).status_code == 200
