"""Makes the demo's key pair, unless it is there, and prints a token for a member of a sample group, ready for curl."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from activity_aggregates import configuration
from activity_aggregates.errors import JobError
from scripts.sample.ids import do_id, group_id, user_id

FOLDER = Path(".activity-aggregates/demo")  # conf/demo.yaml names its public key
ISSUER = "https://demo.example.org"
AUDIENCE = "activity-aggregates"
LIFETIME_SECONDS = 24 * 3600
CONF = Path("conf/demo.yaml")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.sample.token", description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as the server is given it")
    arguments, _ = parser.parse_known_args(argv)  # the others are the server's
    try:
        api = configuration.load(CONF, os.environ, configuration.flag_values(arguments.set)).settings.api
    except JobError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    url = f"http://{api.host}:{api.port}"
    private, public = FOLDER / "private.pem", FOLDER / "public.pem"
    if not public.exists():
        make_keys(private, public)
    query = {"groupId": group_id("Evening class"), "activityId": do_id("First aid"), "activityType": "Course"}
    print(f"The API listens on {url}. As a member of the sample's evening class, from another terminal:\n")
    print(
        f"curl -s {url}/data/group/activity/agg -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {token(private.read_bytes(), user_id(0))}' \\\n"
        f"  -d '{json.dumps({'request': query})}' | python3 -m json.tool\n"
    )
    return 0


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
