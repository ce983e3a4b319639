"""The public keys that tokens are signed with: a PEM or JWKS file, read again when it changes."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt import PyJWKSet
from jwt.exceptions import PyJWTError

from activity_aggregates.errors import BadRequest, Unreachable

LOOK_SECONDS = 1.0  # how often the file is looked at
SMALLEST_RSA_KEY = 2048  # bits

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """A public key, the one algorithm that it is good for, and its name where the file gives one."""

    public: RSAPublicKey | EllipticCurvePublicKey
    algorithm: str
    kid: str | None


class KeyFile:
    """The keys of a file. One that is unreadable is said once, and the keys read before go on to count.

    A process that is started while the file is unreadable has read none. It waits for a readable one, for it would be
    started again, in vain, if it ended; keys of an earlier time may have been withdrawn since.
    """

    def __init__(self, path: Path, algorithms: Sequence[str]) -> None:
        self._path = path
        self._algorithms = algorithms
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._version = _version(path)
        self._keys: list[Key] = []
        try:
            self._keys = read_keys(path, algorithms)
        except BadRequest as error:
            _log.error("%s; this process answers 503 until then", error)

    def current(self) -> Sequence[Key]:
        """All keys, the same object until the file changes; raises Unreachable while none has been read."""
        self._look()
        if not self._keys:
            raise Unreachable(f"api.key_file {self._path} has not been readable yet, so no token can be checked")
        return self._keys

    def candidates(self, kid: str | None, algorithm: str) -> list[Key]:
        """The keys that may have signed a token; a key without a name may have signed any."""
        return [key for key in self.current() if key.algorithm == algorithm and (kid is None or key.kid in (None, kid))]

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        with self._lock:
            self._looked = time.monotonic()
            version = _version(self._path)
            if version == self._version:
                return
            self._version = version
            try:
                self._keys = read_keys(self._path, self._algorithms)
            except BadRequest as error:
                kept = "the keys read before stay in force" if self._keys else "this process answers 503 until then"
                _log.error("%s; %s", error, kept)
            else:
                _log.warning("api.key_file %s has changed: it holds %d keys", self._path, len(self._keys))


def read_keys(path: Path, algorithms: Sequence[str]) -> list[Key]:
    """All keys of the file that fit an algorithm of `algorithms`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(
            f"api.key_file {path} cannot be read ({error.strerror}): name a PEM or JWKS file of public keys"
        ) from error
    try:
        keys = [*(_of_pem(content) if b"-----BEGIN" in content else _of_jwks(content))]
    except (ValueError, PyJWTError, UnsupportedAlgorithm, AttributeError) as error:
        raise BadRequest(
            f"api.key_file {path} holds no readable public keys ({error}): name a PEM or JWKS file of public keys"
        ) from error
    if usable := [key for key in keys if key.algorithm in algorithms]:
        return usable
    raise BadRequest(
        f"api.key_file {path} holds no key for {' or '.join(algorithms)}: "
        f"RS256 needs an RSA key of at least {SMALLEST_RSA_KEY} bits, ES256 one on the curve P-256"
    )


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _of_pem(content: bytes) -> Iterator[Key]:
    for block in _PEM_BLOCK.finditer(content):
        if b"PRIVATE" in block[1]:
            raise ValueError("it holds a private key, which the API must not have")
        is_certificate = block[1] == b"CERTIFICATE"
        yield from _key(
            load_pem_x509_certificate(block[0]).public_key() if is_certificate else load_pem_public_key(block[0]), None
        )


def _of_jwks(content: bytes) -> Iterator[Key]:
    for jwk in PyJWKSet.from_json(content.decode()).keys:
        if isinstance(jwk.key, RSAPrivateKey | EllipticCurvePrivateKey):
            raise ValueError("it holds a private key, which the API must not have")
        if jwk.public_key_use != "enc":
            yield from _key(jwk.key, jwk.key_id)


def _key(public: object, kid: str | None) -> Iterator[Key]:
    """The key, if it is of a kind that is accepted: an issuer's list also names keys for other purposes."""
    if isinstance(public, RSAPublicKey) and public.key_size >= SMALLEST_RSA_KEY:
        yield Key(public, "RS256", kid)
    if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
        yield Key(public, "ES256", kid)
