"""What Prometheus is told of the API itself; every worker counts into files that the main process adds up.

prometheus_client decides when it is imported whether it does so, by a variable: it is imported only when that is set.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from activity_aggregates.api.edge.envelope import API_IDS

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
OTHER_ROUTE = "other"
EARLY = "none"  # the route of what is refused before it is a request
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
ROUTES = frozenset({*API_IDS, "/openapi.json"})

_log = logging.getLogger(__name__)
_making = Lock()


class Figures:
    """The metrics of one worker."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        name = "activity_aggregates_api_{}".format
        self.requests = Counter(name("requests"), "Requests answered, by route and status.", ["route", "status"])
        self.seconds = Histogram(
            name("request_seconds"),
            "Seconds from a request's head to the end of its answer.",
            ["route"],
            buckets=BUCKETS,
        )
        self.reads = Gauge(
            name("reads_under_way"), "Reads that the store has not answered yet.", multiprocess_mode="livesum"
        )
        self.store_up = Gauge(
            name("store_up"), "1 while every worker reaches the store, else 0.", multiprocess_mode="livemin"
        )
        self.refused_tokens = Counter(name("refused_tokens"), "Tokens that were not accepted, by reason.", ["reason"])


def figures() -> Figures:
    """The metrics of this process, whichever of its threads asks first: names can be registered once."""
    with _making:
        return _made()


@cache
def _made() -> Figures:
    return Figures()


def answered(path: str, status: int, seconds: float) -> None:
    route = path if path in ROUTES else OTHER_ROUTE
    figures().requests.labels(route, status).inc()
    figures().seconds.labels(route).observe(seconds)


def refused_early(status: int) -> None:
    figures().requests.labels(EARLY, status).inc()


@contextmanager
def published(address: str | None) -> Iterator[str | None]:
    """Has the workers that are started within the block count for all; yields the URL where that is read, if any."""
    if address is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="activity-aggregates-api-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield _listen(address, Path(folder))
        finally:
            del os.environ[FOLDER_VARIABLE]


def _listen(address: str, folder: Path) -> str | None:
    """An address that is taken is said and no reason not to serve: several servers may stand on one machine."""
    from prometheus_client import CollectorRegistry, start_http_server

    host, _, port = address.rpartition(":")
    # Signals are the main thread's; one that the thread of this server takes would pass by what it holds back.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    registry = CollectorRegistry()
    registry.register(OfAllWorkers(folder))
    try:
        server, _thread = start_http_server(int(port), host.strip("[]"), registry)
    except (OSError, OverflowError) as error:
        _log.warning(
            "api.metrics_address %s cannot be listened on (%s): the API serves without metrics; set another address",
            address,
            error,
        )
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return f"http://{host}:{server.server_port}/metrics"


class OfAllWorkers:
    """The sums over all workers; what a worker is doing no longer counts when it has ended."""

    def __init__(self, folder: Path) -> None:
        from prometheus_client.multiprocess import MultiProcessCollector

        self._collector = MultiProcessCollector(CollectorRegistryOfNone(), str(folder))  # type: ignore[no-untyped-call]
        self._folder = folder

    def collect(self) -> list[Metric]:
        from prometheus_client.multiprocess import mark_process_dead

        for file in self._folder.glob("gauge_live*_*.db"):
            found = re.search(r"_(\d+)\.db$", file.name)
            if found and not _is_alive(int(found[1])):
                mark_process_dead(int(found[1]), str(self._folder))  # type: ignore[no-untyped-call]
        metrics: list[Metric] = list(self._collector.collect())  # type: ignore[no-untyped-call]
        return metrics


class CollectorRegistryOfNone:
    """What the collector wants to be registered with: it is asked by hand."""

    def register(self, collector: object) -> None:
        """Nothing is registered."""


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
