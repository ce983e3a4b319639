"""What belongs to one request from its first byte to its last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from starlette.types import Scope

LONGEST_MSGID = 64  # characters

KEY = "activity_aggregates.exchange"  # in the scope of a request

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """When it has to be over, by which ids it is known, and what came of it."""

    began: float  # of the monotonic clock, in seconds, as `deadline`
    deadline: float
    msgid: str | None
    zips: bool
    resmsgid: str = field(default_factory=lambda: str(uuid4()))
    caller: str | None = None  # a hash
    is_receiving: bool = False  # the body
    status: int | None = None  # once the answer has begun

    def heard(self, body: object) -> None:
        """Takes the id that a body gives to its request, which counts before the header's, also of a wrong body."""
        params = body.get("params") if isinstance(body, Mapping) else None
        if isinstance(params, Mapping) and params.get("msgid") is not None:
            self.msgid = fit_msgid(params["msgid"])


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that a request belongs to."""
    found: Exchange = scope[KEY]
    return found


def begin(headers: Headers, seconds: float) -> Exchange:
    """An exchange that has `seconds` from now."""
    now = time.monotonic()
    msgid, zips = None, False
    for name, value in headers:
        if name == b"x-msgid":
            msgid = fit_msgid(text_of(value))
        elif name == b"accept-encoding":
            zips = accepts_gzip(value.decode("latin-1"))
    return Exchange(now, now + seconds, msgid, zips)


def text_of(value: bytes) -> str:
    """A header's value, of UTF-8 where it is that, else of Latin-1, as headers once were."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def fit_msgid(given: object) -> str | None:
    r"""An id that can be answered and logged as it is; None for any other.

    >>> fit_msgid("0f-3a"), fit_msgid("two\nlines"), fit_msgid("x" * 65), fit_msgid(7)
    ('0f-3a', None, None, None)
    """
    is_fit = isinstance(given, str) and 0 < len(given) <= LONGEST_MSGID and given.isprintable()
    return str(given) if is_fit else None


def accepts_gzip(value: str) -> bool:
    """Whether a client takes gzip.

    >>> accepts_gzip("gzip, deflate"), accepts_gzip("br;q=1, gzip;q=0"), accepts_gzip("identity")
    (True, False, False)
    >>> accepts_gzip("*, gzip;q=0"), accepts_gzip("*;q=0, gzip"), accepts_gzip("*")
    (False, True, True)
    """
    wanted = {}
    for coding in value.lower().split(","):
        name, _, weight = coding.partition(";")
        wanted[name.strip()] = weight.replace(" ", "").strip("0.") != "q="
    return wanted.get("gzip", wanted.get("*", False))
