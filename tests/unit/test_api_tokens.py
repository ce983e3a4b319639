"""How long a token that was good stays known."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest

from activity_aggregates.api.edge.refusals import Refused
from activity_aggregates.api.identity.keys import KeyFile
from activity_aggregates.api.identity.tokens import Caller, Claims, TokenVerifier
from tests.harness.api import AUDIENCE, ISSUER, KeyPair, key_pair

DEADLINE_SECONDS = 60


@pytest.fixture
def keys() -> KeyPair:
    return key_pair()


@pytest.fixture
def file(tmp_path: Path, keys: KeyPair) -> Path:
    file = tmp_path / "public.pem"
    file.write_bytes(keys.public)
    return file


@pytest.fixture
def verifier(file: Path) -> TokenVerifier:
    claims = Claims(ISSUER, (AUDIENCE,), leeway=0, user_id="sub", scope="scope")
    return TokenVerifier(KeyFile(file, ["ES256"]), claims)


def caller(verifier: TokenVerifier, token: str) -> Caller:
    return verifier.caller({"authorization": f"Bearer {token}"})


def still_accepted(verifier: TokenVerifier, token: str) -> bool:
    """False once the token is refused; it had better be before the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            assert caller(verifier, token) == Caller("u1", is_service=False)
        except Refused:
            return False
    return True


def test_it_ends_with_its_time(verifier: TokenVerifier, keys: KeyPair) -> None:
    assert not still_accepted(verifier, keys.token(exp=int(time.time()) + 2))


def test_it_ends_with_its_key(verifier: TokenVerifier, keys: KeyPair, file: Path) -> None:
    token = keys.token()
    assert caller(verifier, token) == Caller("u1", is_service=False)
    file.write_bytes(key_pair().public)
    assert not still_accepted(verifier, token)


def test_one_that_was_good_says_nothing_of_another(verifier: TokenVerifier, keys: KeyPair) -> None:
    token = keys.token()
    caller(verifier, token)
    assert caller(verifier, keys.token(scope="aggregates:read")).is_service
    with pytest.raises(Refused):
        caller(verifier, token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"))


@pytest.mark.parametrize("audience", ["any", ["some", "other"], None])
def test_without_audiences_nobodys_is_looked_at(file: Path, keys: KeyPair, audience: object) -> None:
    claims = Claims(ISSUER, (), leeway=0, user_id="sub", scope="scope")
    verifier = TokenVerifier(KeyFile(file, ["ES256"]), claims)
    assert caller(verifier, keys.token(aud=audience)) == Caller("u1", is_service=False)
    with pytest.raises(Refused):
        caller(verifier, keys.token(aud=audience, iss="https://another.example.org"))


def test_a_token_that_names_a_managed_user_is_known_as_that_alone(verifier: TokenVerifier, keys: KeyPair) -> None:
    """Also one that would be good as a caller's own: what is known of it in one place says nothing in the other."""
    both = keys.token("child", parentId="u1")
    headers = {"authorization": f"Bearer {keys.token()}", "x-authenticated-for": both}
    assert verifier.caller(headers) == Caller("child", is_service=False)
    assert caller(verifier, both) == Caller("child", is_service=False)
    with pytest.raises(Refused):
        verifier.caller({"authorization": f"Bearer {keys.token()}", "x-authenticated-for": keys.token("child")})


def test_what_is_known_of_a_managed_users_token_opens_no_other(verifier: TokenVerifier, keys: KeyPair) -> None:
    managed = keys.token("child", parentId="u1")
    verifier.caller({"authorization": f"Bearer {keys.token()}", "x-authenticated-for": managed})
    for text in ("m", "True", "1", ""):
        with pytest.raises(Refused):
            caller(verifier, managed.rpartition(".")[0] + ".AAAA" + text)
        if text:
            with pytest.raises(Refused):
                caller(verifier, managed + text)


@pytest.mark.parametrize(
    "claims",
    [{"exp": 10**400}, {"exp": 1e300}, {"sub": "\ud800"}, {"sub": {}}, {"nbf": "x"}, {"iat": []}],
)
def test_odd_claims_under_a_right_signature_are_refused_or_read(
    verifier: TokenVerifier, keys: KeyPair, claims: dict[str, Any]
) -> None:
    """None ends in an error of another kind, nor leads to an id that has no bytes."""
    with suppress(Refused):
        assert caller(verifier, keys.token(**claims)).user_id.encode()


def test_an_issuer_that_is_not_a_text_is_refused(verifier: TokenVerifier, keys: KeyPair) -> None:
    """The library signs none; others do."""
    claims = {"iss": ["x"], "aud": AUDIENCE, "sub": "u1", "exp": int(time.time()) + 600}
    token = jwt.api_jws.encode(json.dumps(claims).encode(), keys.private, algorithm=keys.algorithm)
    with pytest.raises(Refused):
        caller(verifier, token)


def test_a_service_that_manages_a_user_is_served_as_that_user(verifier: TokenVerifier, keys: KeyPair) -> None:
    service = keys.token(scope="aggregates:read")
    managed = keys.token("child", parentId="f:realm:u1", scope="aggregates:read")
    headers = {"authorization": f"Bearer {service}", "x-authenticated-for": managed}
    assert verifier.caller(headers) == Caller("child", is_service=False)
