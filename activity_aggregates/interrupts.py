"""Ctrl-C and a scheduler's SIGTERM: both end a command in the same orderly way, as KeyboardInterrupt."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import NoReturn

_INTERRUPTED = threading.Event()


def heed() -> None:
    """Raise KeyboardInterrupt in the main thread at either signal.

    To be called again once Spark has started: pyspark's own handler of Ctrl-C asks the JVM over the very connection
    that it interrupts, and what then comes back is an error of py4j.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)


def was_interrupted() -> bool:
    """Whether an error may only be what an interrupt made of the call that it cut off."""
    return _INTERRUPTED.is_set()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _INTERRUPTED.set()
    # py4j tells its own logger and the root, with tracebacks, about every connection that is cut from now on.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(lambda record: record.name != "root")
    raise KeyboardInterrupt
