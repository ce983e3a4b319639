"""Standard streams whose reader may go, as that of `config show | head` does, and whose disk may be full."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

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
        if not isinstance(stream, io.TextIOWrapper):
            continue  # closed by who started this process, or put in place by a test
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


def lost_output() -> str | None:
    """Why standard output has not got all that was said, where that is so: say that its disk is full."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", None)
    if not isinstance(raw, _Pipe):
        return None
    sys.stdout.flush()
    return raw.lost
