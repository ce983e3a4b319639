"""What of an answer was asked for, by the names that there are; one that there is not is refused with the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from activity_aggregates.api.edge.refusals import Refused, invalid

METADATA, AGG, MEMBERS, DAYS = "metadata", "agg", "members", "days"
SECTIONS = frozenset({METADATA, AGG, MEMBERS, DAYS})

LONGEST_NAME = 64  # characters of one that is told back


@dataclass(frozen=True)
class Fields:
    """Sections, metrics, entries of metadata and attributes of members: of each kind all, where none of it is named."""

    sections: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    metadata: frozenset[str] = frozenset()
    profile: frozenset[str] = frozenset()

    def has(self, section: str) -> bool:
        return not self.sections or section in self.sections

    @property
    def picks_metrics(self) -> bool:
        return bool(self.metrics or self.prefixes)

    def has_metric(self, name: str) -> bool:
        return not self.picks_metrics or name in self.metrics or name.startswith(self.prefixes)

    def described(self, metadata: Mapping[str, str | int]) -> Mapping[str, str | int]:
        """The entries of metadata that were asked for."""
        return {key: metadata[key] for key in metadata if key in self.metadata} if self.metadata else metadata

    def shown(self, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """The attributes of a member that were asked for."""
        return {key: profile[key] for key in profile if key in self.profile} if self.profile else profile


EVERYTHING = Fields()


@dataclass(frozen=True)
class Names:
    """All that `fields` may name; what begins with a prefix is a metric too."""

    metrics: frozenset[str]
    prefixes: tuple[str, ...]
    metadata: frozenset[str]
    profile: frozenset[str]

    def fields(self, asked: Iterable[str]) -> Fields:
        """What the names ask for.

        >>> names = Names(frozenset({"completedCount"}), ("score:",), frozenset({"name"}), frozenset({"name"}))
        >>> fields = names.fields(["members", "completedCount"])
        >>> fields.has("members"), fields.has("agg"), fields.metrics
        (True, False, frozenset({'completedCount'}))
        >>> names.fields(["completeCount"])
        Traceback (most recent call last):
        activity_aggregates.api.edge.refusals.Refused: request.fields: completeCount is not known; the nearest is \
completedCount.
        """
        wanted = frozenset(asked)
        fields = Fields(
            sections=wanted & SECTIONS,
            metrics=frozenset(name for name in wanted if self._is_metric(name)),
            prefixes=tuple(sorted(wanted.intersection(self.prefixes))),
            metadata=wanted & self.metadata,
            profile=wanted & self.profile,
        )
        known = {*fields.sections, *fields.metrics, *fields.prefixes, *fields.metadata, *fields.profile}
        for name in asked:
            if name not in known:
                raise Refused(invalid(self._unknown(name[:LONGEST_NAME])))
        return fields

    def _is_metric(self, name: str) -> bool:
        return name in self.metrics or (name.startswith(self.prefixes) and name not in self.prefixes)

    def _unknown(self, name: str) -> str:
        every = sorted({*SECTIONS, *self.metrics, *self.prefixes, *self.metadata, *self.profile})
        (nearest,) = get_close_matches(name, every, n=1, cutoff=0)
        return f"request.fields: {name} is not known; the nearest is {nearest}."
