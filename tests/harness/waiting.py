"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 600  # the machine may be busy with something else
_BETWEEN_SECONDS = 0.1


def wait_until(holds: Callable[[], object], otherwise: str = "it never came") -> None:
    """Ask again and again; fails with `otherwise` when patience is at an end."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, otherwise
        time.sleep(_BETWEEN_SECONDS)
