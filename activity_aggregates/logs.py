"""What a command says while it works and at its end: sentences, or with `log.format: json` objects of one schema.

docs/log.schema.json is that schema. With it every line on standard error is an object, whoever wrote it, and so is
every line on standard output of a command whose output is no answer of a form of its own.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

JSON = "json"
DETAILS = "details"  # the attribute of a logging record with fields of its own
_BEGIN = '{"time"'  # of every object, also of those of Spark's JVM

# What is spoken of at present, for whichever thread speaks: a process has one run at a time.
_about: dict[str, str] = {}


def entry(level: str, message: str, time: str | None = None, **details: Any) -> str:
    """A line of now, or of the `time` that is given, with what is spoken of. What is None is left out."""
    first: dict[str, Any] = {"time": time or instant(), "level": level, **_about}
    for name in ("run_id", "command", "phase"):
        if name in details:
            first[name] = details.pop(name)
    known = {**first, "message": message, **details}
    return json.dumps({name: value for name, value in known.items() if value is not None}, ensure_ascii=False)


def instant(at: float | None = None) -> str:
    """Now, or seconds since 1970, in UTC and milliseconds."""
    moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Json(logging.Formatter):
    """One object a line, with the fields in a record's `DETAILS`."""

    def format(self, record: logging.LogRecord) -> str:
        details = dict(getattr(record, DETAILS, None) or {})
        if record.exc_info:
            details["exception"] = self.formatException(record.exc_info)
        level, message = record.levelname.lower(), record.getMessage()
        return entry(level, message, instant(record.created), logger=record.name, **details)


class Objects(io.TextIOBase):
    """A stream whose lines leave as objects; those that are objects already leave as they are."""

    def __init__(self, stream: TextIO, level: str) -> None:
        self.stream = stream
        self._level = level
        self._begun = ""
        self._writing = threading.Lock()

    def write(self, text: str) -> int:
        with self._writing:
            between = "\n" if self._begun and text.startswith(_BEGIN) else ""
            *lines, self._begun = f"{self._begun}{between}{text}".split("\n")
            for line in filter(str.strip, lines):
                self.stream.write(f"{line if line.startswith(_BEGIN) else entry(self._level, line)}\n")
            if lines:
                self.stream.flush()
        return len(text)

    def end(self) -> None:
        """Write the line that was begun."""
        if self._begun:
            self.write("\n")
        self.flush()

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Lines that are written within the block carry these fields, and so do those about an error that leaves it."""
    before = dict(_about)
    _about.update(fields)
    yield
    _about.clear()
    _about.update(before)


@contextmanager
def saying(form: str, *, is_answer: bool) -> Iterator[None]:
    """Say everything in the block in this form; where standard output `is_answer` it stays what it is."""
    _about.clear()
    if form != JSON:
        try:
            yield
        finally:
            _about.clear()  # of a command that failed: the next one in this process is not about it
        return
    streams = {"stderr": Objects(sys.stderr, "warning")}
    if not is_answer:
        streams["stdout"] = Objects(sys.stdout, "info")
    before = {name: getattr(sys, name) for name in streams}
    for name, stream in streams.items():
        setattr(sys, name, stream)
    handler = logging.StreamHandler()
    handler.setFormatter(Json())
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(handler)
        _about.clear()
        for name, stream in streams.items():
            stream.end()
            setattr(sys, name, before[name])


def are_objects() -> bool:
    """Whether standard error takes objects alone."""
    return isinstance(sys.stderr, Objects)


def relay(line: str, logger: str) -> None:
    """A line that another process has written for standard error: as an object that says what is spoken of as well."""
    try:
        known = json.loads(line) if line.startswith(_BEGIN) else {"level": "info", "message": line, "logger": logger}
        print(entry(**known), file=sys.stderr)
    except (ValueError, TypeError):  # it only begins like an object
        print(entry("info", line, logger=logger), file=sys.stderr)


def tell_result(message: str, **details: Any) -> None:
    """What came of a command, on standard output; objects have the details as numbers."""
    print(entry("info", message, **details) if isinstance(sys.stdout, Objects) else message)


def tell_error(program: str, message: str, exit_code: int) -> None:
    """Why a command ends, on standard error."""
    line = entry("error", message, exit_code=exit_code) if are_objects() else f"{program}: {message}"
    print(line, file=sys.stderr)


def tell_bug(error: Exception) -> None:
    """An error that nobody expected as an object, with its traceback."""
    stack = "".join(traceback.format_exception(error))
    print(entry("critical", f"{type(error).__name__}: {error}", exception=stack), file=sys.stderr)
