"""`serve`: checks everything that can be checked at once, takes the port, and serves until it is told to stop."""

from __future__ import annotations

import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from activity_aggregates import settings
from activity_aggregates.api.app import create_app
from activity_aggregates.api.deployment import Deployment, deployment
from activity_aggregates.api.edge import logs
from activity_aggregates.api.edge.bounds import Config, connections_allowed
from activity_aggregates.api.edge.figures import published
from activity_aggregates.api.stored.store import FIRST_ATTEMPT_SECONDS
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.store.connection import open_session

BACKLOG = 2048  # connections that wait to be accepted
GRACE_SECONDS = 10  # how long requests under way may take once it is told to stop
SILENT_SECONDS = 60  # a worker that has said nothing for so long is started anew; on a busy machine it may start slowly
NEVER_SECONDS = 1 << 30  # the bounds of connections say how long one may be idle

_log = logging.getLogger(__name__)


def serve(configuration: Configuration, environ: Mapping[str, str], insecure_local: bool) -> int:
    """Serves until SIGTERM, which is exit code 0, or Ctrl-C. It starts, and stays, also without the store."""
    given = configuration.settings
    deployed = deployment(given, environ, insecure_local)
    check_erased(deployed)
    listening = bound(given.api)
    logging.config.dictConfig(logs.lines(given.log.format))
    if given.api.profile and given.sources.users is None:
        _log.warning("sources.users is not set: members are shown without what api.profile names")
    with listening, published(given.api.metrics_address) as metrics_url:
        host, port = listening.getsockname()[:2]
        print(f"serving on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        if metrics_url:
            print(f"metrics on {metrics_url}", flush=True)
        return run(configured(given, deployed), listening)


def configured(given: settings.Settings, deployed: Deployment) -> Config:
    """The server as its processes are started."""
    allowed = connections_allowed(deployed.bounds.connections)
    return Config(
        partial(of_worker, deployed),
        replace(deployed.bounds, connections=allowed),
        factory=True,
        workers=given.api.workers,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=logs.lines(given.log.format),
        server_header=False,
        timeout_keep_alive=NEVER_SECONDS,
        timeout_worker_healthcheck=SILENT_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=False,
    )


def of_worker(deployed: Deployment) -> ASGIApp:
    """The application in a worker, which ends when its parent has been killed: it would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()
    return create_app(deployed)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def check_erased(deployed: Deployment) -> None:
    """Raises BadRequest where learners were erased and the secret that tells them is missing or another one.

    Where the store cannot be asked at once, the workers find out when they reach it.
    """
    quick = deployed.connection.within(FIRST_ATTEMPT_SECONDS)
    with suppress(Unreachable), open_session(quick) as session:
        deployed.erased.read(session, retry_seconds=0.0)


def bound(api: settings.Api) -> socket.socket:
    """The listening socket. Clients that come before the workers are ready wait in it."""
    try:
        family, *_, address = socket.getaddrinfo(api.host, api.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise BadRequest(
            f"{api.host} port {api.port} cannot be listened on ({error.strerror}): "
            "set another api.host or api.port, or stop what uses it"
        ) from error
    listening.listen(BACKLOG)
    return listening


def run(server: uvicorn.Config, listening: socket.socket) -> int:
    """Serves in this process, or in several that are started anew when they die."""
    serving: Alone | Workers
    if server.workers == 1:
        serving = Alone(server)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, serving.handle_exit)
        signal.signal(signal.SIGHUP, serving.handle_reload)
        serving.run([listening])
    else:
        resource_tracker.ensure_running()  # started by the first worker it would let through what is held back
        serving = Workers(server, [listening])
        serving.run()
    if serving.is_interrupted:
        raise KeyboardInterrupt
    return 0  # a server that is told to stop has done what it was asked to


class Alone(uvicorn.Server):
    """A server in this process, which remembers a Ctrl-C."""

    is_interrupted = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.is_interrupted |= sig == signal.SIGINT
        super().handle_exit(sig, frame)

    def handle_reload(self, sig: int, frame: FrameType | None) -> None:
        """Nobody would stand in for the only worker while it is replaced."""
        _log.warning("SIGHUP: the only worker goes on; keys are read again by itself, settings by a restart")


@contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; in processes that are started within it, for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workers(Multiprocess):
    """The processes of a server, which remember a Ctrl-C.

    A terminal sends it to the workers as well; they leave it to their parent, who tells them to stop.
    """

    is_interrupted = False

    def terminate_all(self) -> None:
        """Closes the socket before, so that nobody is let in whom no worker will answer."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def init_processes(self) -> None:
        with held_back():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        with held_back():
            super().keep_subprocess_alive()

    def handle_signals(self) -> None:
        with held_back():
            super().handle_signals()

    def handle_int(self) -> None:
        self.is_interrupted = True
        super().handle_int()
