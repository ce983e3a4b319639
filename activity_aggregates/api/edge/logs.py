"""The lines of the server on standard error: a sentence with its time, or an object of JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

from activity_aggregates.logs import DETAILS, JSON, Json, instant

SELDOM_SECONDS = 10.0

_ACCESS_LOG = logging.getLogger("activity_aggregates.api.access")


class Seldom(logging.Filter):
    """Lets a sentence through every SELDOM_SECONDS: while the store is away, every request would say the same."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created - self._last.get(str(record.msg), float("-inf")) < SELDOM_SECONDS:
            return False
        self._last[str(record.msg)] = record.created
        return True


class Sentence(logging.Formatter):
    """`2026-01-05T08:30:00.025Z activity-aggregates: …`; of a request, name=value for all that is known of it."""

    def format(self, record: logging.LogRecord) -> str:
        known = getattr(record, DETAILS, None)
        text = " ".join(f"{name}={_plain(value)}" for name, value in known.items()) if known else super().format(record)
        return f"{instant(record.created)} activity-aggregates: {text}"


EARLY = "none"  # the route of what is refused before it is a request


def request(
    route: str, status: int, seconds: float, resmsgid: str, caller: str | None = None, msgid: str | None = None
) -> None:
    """A line for a request that was answered."""
    known = {
        "route": route, "status": status, "seconds": round(seconds, 4), "caller": caller, "resmsgid": resmsgid,
        "msgid": msgid,
    }  # fmt: skip
    _ACCESS_LOG.info("a request was answered", extra={DETAILS: known})


def lines(form: str) -> dict[str, Any]:
    """How every process of the server logs: objects where `form` is json, else sentences."""
    quiet = {"filters": ["seldom"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": Json if form == JSON else Sentence}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "filters": {"seldom": {"()": Seldom}},
        "loggers": {
            "activity_aggregates": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "activity_aggregates.api.edge.failures": quiet,
            "activity_aggregates.api.edge.bounds": quiet,
            "asyncio": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn.error": quiet,
        },
    }


def _plain(value: object) -> str:
    """A value that cannot be taken for two: what a client sends may hold blanks and quotes.

    >>> _plain(200), _plain("0f-3a"), _plain("a status=500")
    ('200', '0f-3a', '"a status=500"')
    """
    text = "-" if value is None else str(value)
    return json.dumps(text) if set(text) & set(' "=') else text
