"""Texts from outside: files and arguments, which may hold bytes that are no text."""

from __future__ import annotations

from pathlib import Path

from activity_aggregates.errors import BadRequest


def read_text(path: Path, named: str, wanted: str, encoding: str = "utf-8") -> str:
    """What a file holds; raises BadRequest, which says what is `wanted` in place of what is `named`."""
    try:
        return path.read_text(encoding)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(f"{named} cannot be read ({reason}): {wanted}") from error


def require_text(text: str, named: str) -> None:
    r"""Raises BadRequest where bytes that are no UTF-8 have come in, which Python keeps as halves of surrogate pairs.

    >>> require_text("caf\udce9", "the argument")
    Traceback (most recent call last):
    activity_aggregates.errors.BadRequest: the argument 'caf\udce9' is not UTF-8: write it as UTF-8
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{named} {text!r} is not UTF-8: write it as UTF-8") from error


def hosts_of(text: str, named: str) -> list[str]:
    """The hosts of a list with commas; raises BadRequest where there is none.

    >>> hosts_of("db1, db2,", "the variable")
    ['db1', 'db2']
    """
    hosts = [host.strip() for host in text.split(",") if host.strip()]
    if not hosts:
        raise BadRequest(f"{named} {text!r} names no host: write host,host")
    return hosts
