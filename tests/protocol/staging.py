"""The computation of the tiny platform: chooses, reads, computes and compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.request.instants import epoch_milliseconds
from activity_aggregates.request.scope import Scope
from tests.protocol.world import (
    CONTEXT_ROWS,
    CONTEXTS,
    DATE,
    GROUP_ROWS,
    LEARNER_ROWS,
    TABLES,
    Change,
    Key,
    Rows,
    World,
    counted,
)


@dataclass
class Staging:
    """Chooses, reads, computes and compares."""

    world: World
    step: Any
    execution: Execution
    asked: Asked
    rules: int

    def changes(self) -> tuple[list[Change], dict[str, int]]:
        whole, pairs = self._chosen()
        computed: Rows = {}
        chosen = {pair for pair in (*self.world.sources, *self.world.stored(LEARNER_ROWS)) if pair[0] in whole}
        chosen |= pairs
        for pair in sorted(chosen):
            self.step()
            value, _ = self.world.sources.get(pair, (None, 0.0))
            if value is not None and pair[1] not in self.execution.erased.hashes:
                computed[pair] = {"done": value + 10 * self.rules}
        stored = self.world.stored(LEARNER_ROWS)
        gone: Rows = {pair: {} for pair in sorted(chosen) if pair not in computed}
        changes = {LEARNER_ROWS: {**computed, **gone}, CONTEXT_ROWS: self._counts(whole, chosen, computed, stored)}
        after = {**stored, **computed}
        changes[GROUP_ROWS] = self._groups(chosen, {pair: row for pair, row in after.items() if pair not in gone})
        return self._compared(changes)

    def _chosen(self) -> tuple[set[str], set[Key]]:
        """The contexts that are looked at whole, and the pairs of others."""
        asked, world = self.asked, self.world
        if asked.is_everything:
            return set(CONTEXTS), set()
        everybody = sorted({*world.sources, *world.stored(LEARNER_ROWS)})
        pairs = {pair for pair in everybody if self._is_asked_for(pair)} | self._named_in_a_file()
        pairs = {pair for pair in pairs if pair[0] not in asked.done_contexts}
        if asked.base is None:
            return {pair[0] for pair in pairs} | set(asked.half_written), set()
        return set(asked.half_written), {pair for pair in pairs if pair[0] not in asked.half_written}

    def _is_asked_for(self, pair: Key) -> bool:
        asked, scope = self.asked, self.asked.scope
        if asked.changed is not None:
            return False
        if asked.since is not None:
            found = self.world.sources.get(pair)
            return found is not None and found[1] >= asked.since.timestamp()
        if asked.erasing:
            return pair[1] in self.execution.erased.hashes
        return _is_in(pair, scope)

    def _named_in_a_file(self) -> set[Key]:
        if self.asked.changed is None:
            return set()
        return {(f"cb:{pair.batch_id}", pair.user_id) for pair in self.asked.changed}

    def _counts(self, whole: set[str], chosen: set[Key], computed: Rows, stored: Rows) -> Rows:
        rows: Rows = {}
        published = self.world.stored(CONTEXT_ROWS)
        known = {context for context, _ in self.world.sources}
        for context in sorted({pair[0] for pair in chosen} | whole):
            if context not in known:
                continue
            here = counted(row for key, row in computed.items() if key[0] == context)
            if context not in whole:
                before = counted(row for key, row in stored.items() if key[0] == context and key in chosen)
                old = published.get((context,), {"enrolled": 0, "done": 0})
                here = {name: old.get(name, 0) - before[name] + here[name] for name in here}
            rows[context,] = here
        return rows

    def _groups(self, chosen: set[Key], after: Rows) -> Rows:
        touched = {user for _, user in chosen}
        touched |= {key[1] for key in after if key[0] in self.asked.done_contexts}
        totals = {u: sum(row["done"] for key, row in after.items() if key[1] == u) for u in sorted(touched)}
        present = {key[1] for key in after}
        return {(user,): {"done": total} if user in present else {} for user, total in totals.items()}

    def _compared(self, computed: Mapping[str, Rows]) -> tuple[list[Change], dict[str, int]]:
        as_of = epoch_milliseconds(self.execution.record.as_of)
        changes: list[Change] = []
        newer = dict.fromkeys(TABLES, 0)
        for table, rows in computed.items():
            held = self.world.store.table(table).values(self.world.scheduler.time)
            for key, entries in rows.items():
                own = held.get(key, {})
                for name in sorted({*entries, *(name for name in own if not name.startswith(DATE))}):
                    if own.get(DATE + name, 0) > as_of:
                        newer[table] += 1
                    elif own.get(name) != entries.get(name):
                        changes.append((table, key, name, entries.get(name)))
        return changes, newer


def _is_in(pair: Key, scope: Scope) -> bool:
    return (not scope.contexts or pair[0] in scope.contexts) and (not scope.users or pair[1] in scope.users)
