"""What is asked of a run: the one value that its choice of what to look at starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from activity_aggregates.protocol.order import Base
from activity_aggregates.request.backfills import Window
from activity_aggregates.request.pairs import Pair
from activity_aggregates.request.scope import EVERYTHING, Scope
from activity_aggregates.store.records import UNIT_OF_GROUPS, RunRecord


@dataclass(frozen=True)
class Asked:
    """What a run is to look at, as it was asked for and as the ledger has it.

    `scope` is what the caller named, with the ids of learners; the full scope is everything. `since` is an instant:
    only what changed since then (an incremental run). `changed` are pairs that a file names. The contexts that a dead
    run left `half_written` are chosen whole in any case. `erasing` are the ids of learners to be erased. `base` is what
    differences may start from; without one nothing may. `window` is that of a backfill; its `done_contexts` are left
    out, because units of it have brought them up to date, but all groups are looked at. Of all contexts and groups a
    `share` is compared, always the same.

    `last_full` is the last full run that succeeded, which need not be a base, for its counts and its phases; `sizes`
    are the rows of each target table as the ledger has them since.
    """

    scope: Scope = EVERYTHING
    since: datetime | None = None
    changed: tuple[Pair, ...] | None = None
    half_written: frozenset[str] = frozenset()
    erasing: frozenset[str] = frozenset()
    base: Base | None = None
    window: Window | None = None
    done_contexts: frozenset[str] = frozenset()
    share: float = 1.0
    last_full: RunRecord | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_everything(self) -> bool:
        """Whether all contexts, pairs and groups are looked at."""
        is_narrowed = self.since is not None or self.changed is not None or self.window is not None
        return self.scope.is_full and not is_narrowed


@dataclass(frozen=True)
class Unit:
    """One unit of a backfill: the staged rows of these contexts, or, where it names none, those of groups."""

    contexts: frozenset[str] = frozenset()

    @property
    def is_of_groups(self) -> bool:
        return not self.contexts


def unit_of(record: RunRecord) -> Unit | None:
    """The unit of a backfill that a run is; None for any other run."""
    if not record.unit:
        return None
    return Unit() if record.unit == UNIT_OF_GROUPS else Unit(record.scope.contexts)
