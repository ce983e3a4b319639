"""How long a token that was good stays known."""

from __future__ import annotations

import time
from pathlib import Path

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
