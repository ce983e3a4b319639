"""Secrets that something is signed or hashed with: named in the settings, as a variable or a file, and read here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from activity_aggregates.errors import BadRequest

SHORTEST_SECRET = 16  # bytes


def named_secret(setting: str, variable: str, file: str | None, environ: Mapping[str, str]) -> bytes:
    """What the file holds, where one is named, else the variable; empty where the variable is.

    `setting` is the name that the settings of both begin with. Raises BadRequest for a file that cannot be read and for
    a secret that is too short to be one.
    """
    if file:
        try:
            secret = Path(file).read_bytes().strip()
        except OSError as error:
            raise BadRequest(f"{setting}_file {file} cannot be read ({error.strerror}): correct it") from error
        origin = f"the file {file}"
    else:
        secret, origin = os.fsencode(environ.get(variable, "")), f"the variable {variable}"
        if not secret:
            return b""
    if len(secret) < SHORTEST_SECRET:
        raise BadRequest(f"{origin} holds a secret of {len(secret)} bytes: use at least {SHORTEST_SECRET}")
    return secret
