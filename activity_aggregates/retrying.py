"""Attempts that are made again for a while, with growing pauses between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import Forbidden, Unreachable

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 10.0

T = TypeVar("T")


def delays() -> Iterator[float]:
    """Seconds between attempts: they double up to a bound, and vary so that the tasks do not return all at once."""
    longest = _FIRST_DELAY_SECONDS
    while True:
        yield random.uniform(longest / 2, longest)
        longest = min(2 * longest, _LONGEST_DELAY_SECONDS)


def retried(attempt: Callable[[], T], seconds: float, clock: Clock = MACHINE) -> T:
    """What `attempt` returns, tried again while it raises Unreachable and `seconds` have not passed."""
    give_up_at = clock.monotonic() + seconds
    for delay in delays():
        try:
            return attempt()
        except Forbidden:
            raise
        except Unreachable:
            if clock.monotonic() + delay > give_up_at:
                raise
        clock.sleep(delay)
    raise AssertionError("delays never end")
