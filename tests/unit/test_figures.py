"""The metrics of the API are made once, whoever asks first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier, BrokenBarrierError

import pytest

from activity_aggregates.api.edge import figures as module
from activity_aggregates.api.edge.figures import Figures, figures

THREADS = 8


def test_threads_that_ask_at_once_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is registered once in a process: a second registration ends whatever request comes upon it."""
    made: list[None] = []
    together = Barrier(THREADS)

    class Slow(Figures):
        def __init__(self) -> None:
            made.append(None)
            with pytest.raises(BrokenBarrierError):
                Barrier(2).wait(0.05)  # nobody comes: time for the others to ask as well

    def ask() -> Figures:
        together.wait()
        return figures()

    monkeypatch.setattr(module, "_made", cache(Slow))  # what this process has made stays registered
    with ThreadPoolExecutor(THREADS) as pool:
        found = {id(future.result()) for future in [pool.submit(ask) for _ in range(THREADS)]}
    assert (len(found), len(made)) == (1, 1)
