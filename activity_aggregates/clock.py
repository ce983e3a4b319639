"""The clock, as a value: what waits and what takes the time is told which one, so that a test can have its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_WITH_SUSPENDED: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment, which only the same process may compare.

        Those count in which the machine was suspended, for what the store holds has gone on to expire.
        """
        return time.clock_gettime(_WITH_SUSPENDED) if _WITH_SUSPENDED is not None else time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


MACHINE = Clock()
