"""A really started read API, the tokens that it accepts, and questions to it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.harness import roles
from tests.harness.log_lines import message
from tests.harness.processes import command_line

ISSUER, AUDIENCE = "https://issuer.example.org", "aggregates"
GROUP, ACTIVITY, EARLIER = "/data/group/agg", "/data/group/activity/agg", "/v1/group/activity/agg"
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE}
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class KeyPair:
    """A key pair as PEM, and the algorithm that it signs with."""

    algorithm: str
    private: bytes = field(repr=False)
    public: bytes

    def token(self, user: str = "u1", **claims: Any) -> str:
        """A token that the API accepts, unless a claim makes it another; a claim that is None is left out."""
        all_claims = {**CLAIMS, "sub": f"f:realm:{user}", "exp": int(time.time()) + 600, **claims}
        given = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(given, self.private, algorithm=self.algorithm)


def key_pair(algorithm: str = "ES256") -> KeyPair:
    key = generate_private_key(SECP256R1()) if algorithm == "ES256" else generate_rsa_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(algorithm, private, public)


@dataclass(frozen=True)
class Api:
    """A running server with a key that it trusts."""

    client: httpx.Client
    keys: KeyPair
    process: subprocess.Popen[str]
    errors: Path

    def ask(self, path: str, user: str = "u1", **request: Any) -> httpx.Response:
        """What a user is answered."""
        return self.post(path, {"request": request}, self.keys.token(user))

    def ask_as_service(self, path: str, **request: Any) -> httpx.Response:
        token = self.keys.token("a-service", scope="openid aggregates:read")
        return self.post(path, {"request": request}, token)

    def post(self, path: str, body: object, token: str | None) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.client.post(path, json=body, headers=headers)

    def group(self, user: str = "u1", **request: Any) -> list[dict[str, Any]]:
        """The activities of the answer to a question that succeeds."""
        activities: list[dict[str, Any]] = result(self.ask(GROUP, user, **request))["activity"]
        return activities

    def activity(self, user: str = "u1", **request: Any) -> dict[str, Any]:
        activity: dict[str, Any] = result(self.ask(ACTIVITY, user, **request))["activity"]
        return activity


def result(response: httpx.Response) -> dict[str, Any]:
    envelope = response.json()
    assert (response.status_code, envelope["responseCode"]) == (200, "OK"), response.text
    found: dict[str, Any] = envelope["result"]
    return found


def refusal(response: httpx.Response) -> tuple[int, str, str, str]:
    """Status, response code, `err` and `errmsg`; what is refused has no result."""
    envelope = response.json()
    assert (envelope["params"]["status"], envelope["result"]) == ("failed", {})
    return response.status_code, envelope["responseCode"], envelope["params"]["err"], envelope["params"]["errmsg"]


def values(entries: list[dict[str, Any]]) -> dict[str, float]:
    return {entry["metric"]: entry["value"] for entry in entries}


def api_settings(folder: Path, keys: KeyPair) -> dict[str, Any]:
    """The section `api` of a configuration whose server trusts these keys."""
    file = folder / "public.pem"
    file.write_bytes(keys.public)
    return {"port": 0, "metrics_address": None, "key_file": str(file), "issuer": ISSUER, "audience": AUDIENCE}


def serve_command(conf: Path, *arguments: str) -> list[str]:
    return command_line("serve", "--conf", conf, *arguments)


@contextmanager
def served(conf: Path, keys: KeyPair, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Api]:
    """A server as a process of its own, in which whatever imports Spark fails; told to stop at the end."""
    folder = conf.parent / "without-spark"
    folder.mkdir(exist_ok=True)
    (folder / "pyspark.py").write_text("raise RuntimeError('Spark was imported into the read API')\n")
    variables = {**os.environ, **roles.variables(roles.API), **(environ or {})}
    variables["PYTHONPATH"] = f"{folder}{os.pathsep}{Path.cwd()}"
    errors = conf.parent / "errors.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            serve_command(conf, *arguments), stdout=subprocess.PIPE, stderr=stderr, text=True, env=variables
        )
    assert process.stdout
    try:
        line = message(process.stdout.readline())
        assert line.startswith("serving on "), errors.read_text()
        with httpx.Client(base_url=line.removeprefix("serving on "), timeout=TIMEOUT_SECONDS) as client:
            yield Api(client, keys, process, errors)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(TIMEOUT_SECONDS)
        process.stdout.close()
    assert code == 0, errors.read_text()
