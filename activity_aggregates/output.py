"""Standard streams whose reader may go, as that of `config show | head` does, and whose disk may be full."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NUMBERS = {"stdout": 1, "stderr": 2}
_GONE = (errno.EPIPE, errno.EIO)  # the reader of a pipe, and a terminal whose window was closed


class _Pipe(io.FileIO):
    """A stream that drops what nobody reads any more, or what has no room, instead of failing."""

    lost: str | None = None  # why something that may be read later was dropped

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                self.lost = error.strerror
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """From here on a command does all of its work and ends with its own exit code, whoever has stopped reading."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this process
            setattr(sys, name, _nowhere(_NUMBERS[name]))
            continue
        if not isinstance(stream, io.TextIOWrapper):
            continue  # put in place by a test
        stream.flush()
        raw = _Pipe(stream.fileno(), "wb", closefd=False)
        setattr(
            sys,
            name,
            io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors="backslashreplace",  # a sign that the encoding lacks is shown as its number
                line_buffering=stream.line_buffering,
            ),
        )


def _nowhere(number: int) -> TextIO:
    """A stream that drops everything, with the number of the closed one: whatever is opened next would get that.

    And the words of a JVM with it. Something may have it by now, and keeps it.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(number)
    except OSError:
        os.dup2(nowhere, number)
    return io.TextIOWrapper(io.FileIO(nowhere, "wb"), encoding="utf-8", write_through=True)


def lost_output() -> str | None:
    """Why standard output has not got all that was said, where that is so: say that its disk is full."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", None)
    if not isinstance(raw, _Pipe):
        return None
    sys.stdout.flush()
    return raw.lost
