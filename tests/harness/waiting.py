"""Waiting for what another process does."""

from __future__ import annotations

import subprocess
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


def wait_at_work(process: subprocess.Popen[str], holds: Callable[[], object], otherwise: str) -> None:
    """`wait_until`; fails with what the process has said where it ends before."""

    def holds_while_it_lives() -> object:
        assert process.poll() is None, process.communicate()[0]
        return holds()

    wait_until(holds_while_it_lives, otherwise)
