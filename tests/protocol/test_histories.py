"""The protocol of runs over histories that are drawn: real lease, ledger, order and flow on the twin of a store.

A seed that fails is played alone by `scripts/test protocol --seed N`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from activity_aggregates.protocol import execution, order
from activity_aggregates.run import flow
from activity_aggregates.store.lease import Lease
from activity_aggregates.writing import sending
from tests.protocol.history import played
from tests.protocol.world import Broken

HISTORIES = 20_000
_PART = 1000
_PLAYED_AGAIN = 100  # one of so many


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One seed where the command line names one, else all of them in parts."""
    if "seeds" in metafunc.fixturenames:
        named, number = metafunc.config.getoption("--seed"), _number(metafunc.config)
        parts = [range(first, min(first + _PART, number)) for first in range(0, number, _PART)]
        metafunc.parametrize("seeds", parts if named is None else [range(named, named + 1)], ids=str)


def _number(config: pytest.Config) -> int:
    return config.getoption("--histories") or HISTORIES


def test_after_any_history_an_incremental_run_leaves_what_a_full_run_does(seeds: range) -> None:
    for seed in seeds:
        with told(seed):
            played(seed)


def test_a_seed_leaves_the_same_trace_in_another_process(pytestconfig: pytest.Config) -> None:
    """Texts have other hashes there, so that what follows the order of a set does not pass for the seed's."""
    stop = _number(pytestconfig)
    others = [sys.executable, "-m", "tests.protocol.history", "0", str(stop), str(_PLAYED_AGAIN)]
    traces = subprocess.run(others, capture_output=True, encoding="utf-8", check=True).stdout.split()
    assert [played(seed).trace() for seed in range(0, stop, _PLAYED_AGAIN)] == traces


@contextmanager
def told(seed: int) -> Iterator[None]:
    """A failure names its seed."""
    try:
        yield
    except Exception as error:
        error.add_note(f"play it alone by `scripts/test protocol --seed {seed}`")
        raise


@contextmanager
def _unheeded(self: Lease) -> Iterator[None]:
    yield


# What the twin has to notice: by a sentence, what is taken out of the protocol.
BROKEN: dict[str, tuple[Any, str, object]] = {
    "tasks do not ask for the lease": (sending.LeaseWatch, "check", lambda self: None),
    "the lease of who may be writing is freed": (Lease, "written_under", _unheeded),
    "the lease is used to its last second": (flow, "safe_margin", lambda *_: 0.0),
    "a run does not say that it writes": (execution.Execution, "has_changes", False),
    "dead runs are not seen": (order, "left_half_written", lambda runs: []),
    "what is half-written is not chosen whole": (order, "half_written_contexts", lambda *_: {}),
    "whatever is staged is completed": (order, "why_not_completed", lambda *_: None),
}
_ENOUGH = 4000  # histories, of which some thirty show the rarest; the first that does ends the test


@pytest.mark.parametrize(("place", "name", "instead"), BROKEN.values(), ids=BROKEN.keys())
def test_the_twin_notices_when(place: Any, name: str, instead: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, name, instead)
    with pytest.raises(Broken):
        _play_all(range(_ENOUGH))


def _play_all(seeds: range) -> None:
    for seed in seeds:
        played(seed)
