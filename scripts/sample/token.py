"""Serves the sample, and prints a curl line with a token to try it with, once the server has its port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from scripts.sample.ids import do_id, group_id, user_id

FOLDER = Path(".activity-aggregates/demo")  # conf/demo.yaml names its public key
ISSUER = "https://demo.example.org"
AUDIENCE = "activity-aggregates"
LIFETIME_SECONDS = 24 * 3600
CONF = Path("conf/demo.yaml")
SERVING = "serving on "


def main(argv: Sequence[str]) -> int:
    """Returns the exit code of the server; options are the server's own."""
    private, public = FOLDER / "private.pem", FOLDER / "public.pem"
    if not public.exists():
        make_keys(private, public)
    command = [sys.executable, "-m", "jobs", "serve", "--conf", str(CONF), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as server:
        pass_on(server)
        assert server.stdout
        for line in server.stdout:
            print(line, end="", flush=True)
            if line.startswith(SERVING):
                print(invitation(line.removeprefix(SERVING).strip(), private.read_bytes()), flush=True)
    return server.returncode


def pass_on(server: subprocess.Popen[str]) -> None:
    """A terminal sends Ctrl-C to the server as well; a scheduler's SIGTERM it gets from here."""

    def told(number: int, frame: FrameType | None) -> None:
        server.send_signal(number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, told)


def invitation(url: str, private: bytes) -> str:
    """What to type in another terminal."""
    query = {"groupId": group_id("Evening class"), "activityId": do_id("First aid"), "activityType": "Course"}
    return (
        "As a member of the sample's evening class, from another terminal:\n\n"
        f"curl -s {url}/data/group/activity/agg -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {token(private, user_id(0))}' \\\n"
        f"  -d '{json.dumps({'request': query})}' | python3 -m json.tool\n"
    )


def make_keys(private: Path, public: Path) -> None:
    key = generate_private_key(SECP256R1())
    FOLDER.mkdir(parents=True, exist_ok=True)
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def token(private: bytes, user: str) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": f"f:demo:{user}", "exp": int(time.time()) + LIFETIME_SECONDS}
    return jwt.encode(claims, private, algorithm="ES256")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
