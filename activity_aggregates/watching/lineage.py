"""Tells a backend of OpenLineage, or a file, of every run: that it began, and what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from activity_aggregates import settings
from activity_aggregates.clock import MACHINE, Clock
from activity_aggregates.errors import BadRequest
from activity_aggregates.masking import without_secrets
from activity_aggregates.secret import named_key
from activity_aggregates.store.records import RunRecord

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.transport.transport import Transport

_RETRIES = {"total": 1, "read": 1, "connect": 1}
_log = logging.getLogger(__name__)


@dataclass
class Lineage:
    """Where events of the runs of this process go; nowhere without a transport, as after one was lost."""

    chosen: settings.Settings | None = None
    transport: Transport | None = None
    clock: Clock = MACHINE

    @contextmanager
    def told(self, record: Callable[[], RunRecord]) -> Iterator[None]:
        """Tell that a run begins, and at the end of the block, however that comes, what its record says then."""
        if self.transport is None or self.chosen is None:
            yield
            return
        from activity_aggregates.watching.events import began, ended

        first = record()
        self._send(began, first)
        try:
            yield
        finally:  # under the job that it began as: an incremental run without a base is recorded as a full one
            self._send(ended, replace(record(), command=first.command))

    def _send(self, event: Callable[[RunRecord, settings.Settings, datetime], RunEvent], record: RunRecord) -> None:
        """What cannot be told is one warning, and stops no run."""
        if self.transport is None or self.chosen is None:
            return
        try:
            self.transport.emit(event(record, self.chosen, self.clock.now()))
        except (OSError, RuntimeError, ValueError) as error:  # of the network, of files, of what neither can hold
            self.transport = None
            _log.warning("no events of lineage from here on: %s", without_secrets(str(error)))


def lineage(chosen: settings.Settings, environ: Mapping[str, str]) -> Lineage:
    """What the settings ask for; raises BadRequest where that cannot be, whatever is listening there."""
    given = chosen.lineage
    if given.url is None and given.path is None:
        return Lineage()
    if given.url is not None and given.path is not None:
        raise BadRequest("lineage.url and lineage.path are both set: leave one of them out")
    try:
        return Lineage(chosen, _transport(given, environ))
    except ImportError as error:
        raise BadRequest(
            "lineage is set and openlineage-python is not installed: install activity-aggregates with the extra lineage"
        ) from error


def _transport(given: settings.Lineage, environ: Mapping[str, str]) -> Transport:
    from openlineage.client.transport.file import FileConfig, FileTransport
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

    for name in ("openlineage", "urllib3"):  # which say, several times, what is said here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if given.path is not None:
        return FileTransport(FileConfig(given.path, append=True))
    key = named_key("lineage.api_key", given.api_key_env, given.api_key_file, environ)
    auth = ApiKeyTokenProvider({"api_key": key}) if key else TokenProvider({})
    try:
        return HttpTransport(HttpConfig(str(given.url), timeout=given.timeout, auth=auth, retry=_RETRIES))
    except ValueError as error:
        raise BadRequest(
            f"lineage.url {without_secrets(given.url)} is no URL: write one like http://lineage.example.org:5000"
        ) from error
