"""The lines of the server on standard error: a sentence with its time, or an object of JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SELDOM_SECONDS = 10.0
ACCESS = "access"  # the attribute of a record that has what is known of a request

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
        known = getattr(record, ACCESS, None)
        text = " ".join(f"{name}={_plain(value)}" for name, value in known.items()) if known else super().format(record)
        return f"{_time(record)} activity-aggregates: {text}"


class Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        known: Mapping[str, Any] = getattr(record, ACCESS, None) or {"message": super().format(record)}
        return json.dumps({"time": _time(record), "level": record.levelname.lower(), **known}, ensure_ascii=False)


def request(known: Mapping[str, Any]) -> None:
    """A line for a request that was answered."""
    _ACCESS_LOG.info("a request was answered", extra={ACCESS: known})


def lines(form: str) -> dict[str, Any]:
    """How every process of the server logs: objects where `form` is json, else sentences."""
    quiet = {"filters": ["seldom"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": Json if form == "json" else Sentence}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "filters": {"seldom": {"()": Seldom}},
        "loggers": {
            "activity_aggregates": {"handlers": ["stderr"], "level": "INFO"},
            "activity_aggregates.api.edge.failures": quiet,
            "activity_aggregates.api.edge.bounds": quiet,
            "asyncio": {"handlers": ["stderr"], "level": "WARNING"},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING"},
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


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
