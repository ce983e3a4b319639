"""Backfills: reviewed records, `conf/backfills/<date>-<name>.yaml`, of what is to be computed anew, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from activity_aggregates.errors import BadRequest
from activity_aggregates.plain_yaml import parsed
from activity_aggregates.request.instants import parse_instant
from activity_aggregates.request.scope import Scope, activity, context, named
from activity_aggregates.texts import read_text
from metrics.names import GROUP_CONTEXT

PROPOSED, APPROVED, DONE = STATUSES = ("proposed", "approved", "done")
_KEYS = ("reason", "owner", "scope", "window", "rows_per_second", "status")
_REQUIRED = ("reason", "owner", "scope", "status")
_SCOPE: Mapping[str, Callable[[str, str], Any]] = {
    "activities": activity,
    "contexts": context,
    "groups": named,
    "users": named,
}
_WINDOW = ("from", "to")
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """Instants from `start` up to, and without, `end`; None is open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Backfill:
    """A record that was found right; `digest` is of all that was reviewed, whatever its status."""

    name: str
    scope: Scope
    window: Window | None
    rows_per_second: int | None
    status: str
    digest: str

    @property
    def command(self) -> str:
        """By what the ledger knows its runs."""
        return f"backfill {self.name}@{self.digest}"


def read_backfill(path: Path) -> Backfill:
    """The backfill of a file; raises BadRequest with a sentence for every mistake in it."""
    record = parsed(read_text(path, str(path), "name the YAML file of a backfill"), str(path))
    if not isinstance(record, dict):
        raise BadRequest(f"{path} is not a backfill: write a mapping of {', '.join(_KEYS)}")
    reading = _Reading()
    backfill = reading.backfill(path.stem, record)
    if reading.mistakes:
        raise BadRequest("\n".join(f"{path}: {mistake}" for mistake in reading.mistakes))
    return backfill


class _Reading:
    """Reads one record and collects its mistakes, so that all of them are told at once."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def backfill(self, name: str, record: Mapping[str, Any]) -> Backfill:
        self._closed("", record, _KEYS)
        self.mistakes += [f"{key} is missing: {_wanted(key)}" for key in _REQUIRED if record.get(key) is None]
        for key in ("reason", "owner"):
            if record.get(key) is not None and not _is_text(record[key]):
                self._wrong(key, record[key])
        if record.get("status") is not None and record["status"] not in STATUSES:
            self._wrong("status", record["status"])
        rate = record.get("rows_per_second")
        if rate is not None and (type(rate) is not int or rate < 1):
            self._wrong("rows_per_second", rate)
        found = self._scope(record["scope"]) if record.get("scope") is not None else Scope()
        window = self._window(record["window"]) if record.get("window") is not None else None
        if window and (found.groups or any(each.startswith(GROUP_CONTEXT) for each in found.contexts)):
            self.mistakes.append("window tells contexts apart and groups have none: leave out the window or the groups")
        return Backfill(name, found, window, rate, str(record.get("status")), _digest(record))

    def _scope(self, value: Any) -> Scope:
        lists = self._mapping("scope", value, tuple(_SCOPE))
        if isinstance(value, dict) and not any(lists.values()):
            self.mistakes.append(f"scope names nothing: {_wanted('scope')}")
        found: dict[str, Any] = {
            name: frozenset(self._ids(name, values)) for name, values in lists.items() if values is not None
        }
        scope = Scope(**found)
        if scope.mixes_groups:
            self.mistakes.append("scope names groups and something else: write a record of their own for the groups")
        return scope

    def _ids(self, name: str, values: Any) -> Iterator[Any]:
        place = f"scope.{name}"
        if not isinstance(values, list):
            self._wrong(place, values)
            return
        for value in values:
            if not isinstance(value, str):
                self.mistakes.append(f"{place} has {value!r}, which is not a text: write it in quotes")
                continue
            try:
                yield _SCOPE[name](place, value)
            except BadRequest as error:
                self.mistakes.append(str(error))

    def _window(self, value: Any) -> Window:
        ends = self._mapping("window", value, _WINDOW)
        start, end = (self._instant(f"window.{name}", ends.get(name)) for name in _WINDOW)
        if start is None and end is None and not self.mistakes:
            self.mistakes.append(f"window is open on both sides: {_wanted('window')}")
        if start is not None and end is not None and start >= end:
            self.mistakes.append(
                f"window.from {start.isoformat()} is not before window.to {end.isoformat()}: "
                "give an earlier from or a later to"
            )
        return Window(start, end)

    def _instant(self, place: str, value: Any) -> datetime | None:
        """A day or an instant, as text or as YAML has read it."""
        if value is None:
            return None
        try:
            return parse_instant(value.isoformat() if isinstance(value, date) else str(value), _END_OF_TIME)
        except BadRequest as error:
            self.mistakes.append(f"{place}: {error}")
            return None

    def _mapping(self, place: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
        """The known keys of a mapping with their values."""
        if not isinstance(value, dict):
            self._wrong(place, value)
            return {}
        self._closed(f"{place}.", value, known)
        return {key: value[key] for key in known if key in value}

    def _closed(self, prefix: str, keys: Iterable[Any], known: tuple[str, ...]) -> None:
        for key in keys:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"the nearest is {prefix}{near[0]}" if near else f"it may be {', '.join(known)}"
                self.mistakes.append(f"{prefix}{key} is not a key of a backfill; {hint}")

    def _wrong(self, key: str, value: Any) -> None:
        self.mistakes.append(f"{key} cannot be {value!r}: {_wanted(key)}")


def _wanted(key: str) -> str:
    return {
        "reason": "say in a sentence why it is needed",
        "owner": "name who answers for it",
        "scope": f"list {', '.join(_SCOPE)}, at least one of them",
        "window": "give from, to or both",
        "rows_per_second": "give a whole number above 0, or leave it out",
        "status": f"write {PROPOSED}, {APPROVED} or {DONE}",
    }.get(key, "write a list of ids")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _digest(record: Mapping[Any, Any]) -> str:
    reviewed = {str(key): value for key, value in record.items() if key != "status"}
    return hashlib.sha256(json.dumps(reviewed, sort_keys=True, default=str).encode()).hexdigest()[:8]
