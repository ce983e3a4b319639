"""What key files may hold, and which key a token is checked with."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from activity_aggregates.api.identity.keys import KeyFile, read_keys
from activity_aggregates.errors import BadRequest, Unreachable
from tests.harness.api import KeyPair, key_pair

BOTH = ["RS256", "ES256"]


def jwk(pair: KeyPair, **other: str) -> dict[str, Any]:
    key: Any = load_pem_public_key(pair.public)
    of_kind = ECAlgorithm if pair.algorithm == "ES256" else RSAAlgorithm
    return {**of_kind.to_jwk(key, as_dict=True), **other}


def jwks(folder: Path, *keys: dict[str, Any]) -> Path:
    file = folder / "keys.json"
    file.write_text(json.dumps({"keys": keys}))
    return file


def test_a_token_is_checked_with_the_key_that_it_names(tmp_path: Path) -> None:
    keys = KeyFile(jwks(tmp_path, jwk(key_pair(), kid="a"), jwk(key_pair(), kid="b")), BOTH)
    assert [key.kid for key in keys.candidates("b", "ES256")] == ["b"]
    assert [key.kid for key in keys.candidates(None, "ES256")] == ["a", "b"]
    assert keys.candidates("c", "ES256") == []


def test_a_key_is_good_for_its_own_algorithm_only(tmp_path: Path) -> None:
    keys = KeyFile(jwks(tmp_path, jwk(key_pair("RS256"), kid="a"), jwk(key_pair(), kid="b")), BOTH)
    assert [key.kid for key in keys.candidates(None, "RS256")] == ["a"]
    assert keys.candidates("a", "ES256") == []
    assert keys.candidates("a", "none") == []


def test_keys_for_other_purposes_are_passed_over(tmp_path: Path) -> None:
    other_curve = ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True)
    short = RSAAlgorithm.to_jwk(generate_rsa_key(65537, 1024).public_key(), as_dict=True)
    symmetric = {"kty": "oct", "k": "c2VjcmV0"}
    for_encryption = jwk(key_pair("RS256"), use="enc")
    file = jwks(tmp_path, other_curve, short, symmetric, for_encryption, jwk(key_pair(), kid="good"))
    assert [key.kid for key in read_keys(file, BOTH)] == ["good"]


def test_a_private_key_in_a_jwks_is_refused(tmp_path: Path) -> None:
    private = ECAlgorithm.to_jwk(generate_private_key(SECP384R1()), as_dict=True)
    with pytest.raises(BadRequest, match="a private key, which the API must not have"):
        read_keys(jwks(tmp_path, private), BOTH)


def test_a_pem_file_may_hold_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_bytes(b"of last year\n" + key_pair().public + b"of this year\n" + key_pair("RS256").public)
    assert [key.algorithm for key in read_keys(file, BOTH)] == ["ES256", "RS256"]


def test_without_readable_keys_nothing_is_checked_until_there_are_some(tmp_path: Path) -> None:
    """A process that starts while the file is broken neither ends nor refuses anybody's token."""
    file = tmp_path / "keys.pem"
    file.write_bytes(b"half of a file")
    keys = KeyFile(file, BOTH)
    with pytest.raises(Unreachable, match="has not been readable yet"):
        keys.candidates(None, "ES256")
    file.write_bytes(key_pair().public)
    deadline = time.monotonic() + 60
    while True:
        with suppress(Unreachable):
            keys.current()
            break
        assert time.monotonic() < deadline
    assert len(keys.candidates(None, "ES256")) == 1
