"""Secrets that something is signed or hashed with, and keys of others: named in the settings, and read here."""

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
    secret, origin = _held(setting, variable, file, environ)
    if len(secret) < SHORTEST_SECRET and (file or secret):
        raise BadRequest(f"{origin} holds a secret of {len(secret)} bytes: use at least {SHORTEST_SECRET}")
    return secret


def named_key(setting: str, variable: str, file: str | None, environ: Mapping[str, str]) -> str:
    """The same for a key that somebody else has given out, of any length; it goes into the head of a request.

    Raises BadRequest for one that cannot, and for a file without any.
    """
    key, origin = _held(setting, variable, file, environ)
    text = key.decode("ascii", "replace").strip()
    if not text.isascii() or not text.isprintable() or (file and not text):
        raise BadRequest(f"{origin} holds no key: a key is letters, digits and signs of ASCII in one line")
    return text


def _held(setting: str, variable: str, file: str | None, environ: Mapping[str, str]) -> tuple[bytes, str]:
    """What is held, and by what."""
    if not file:
        return os.fsencode(environ.get(variable, "")), f"the variable {variable}"
    try:
        return Path(file).read_bytes().strip(), f"the file {file}"
    except OSError as error:
        raise BadRequest(f"{setting}_file {file} cannot be read ({error.strerror}): correct it") from error
