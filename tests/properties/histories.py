"""What happens to a platform, a step at a time: rows of generated sources, written over those that are there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings

from tests.generators import sources
from tests.harness.store import Store
from tests.model import Source
from tests.properties.worlds import apart

Rows = list[dict[str, Any]]
_KEYS = {
    "user_enrolments": ("userid", "courseid", "batchid"),
    "user_content_consumption": ("userid", "courseid", "batchid", "contentid"),
    "content_hierarchy": ("identifier",),
    "assessment_aggregator": ("course_id", "batch_id", "user_id", "content_id", "attempt_id"),
    "group": ("id",),
    "group_member": ("groupid", "userid"),
    "course_batch": ("courseid", "batchid"),
}


def drawn(number: int, worlds: int) -> list[Source]:
    """Worlds that are apart, the same ones for a number."""
    found: list[Source] = []

    @seed(number)
    @hypothesis_settings(
        max_examples=worlds, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(sources())
    def draw(world: Source) -> None:
        found.append(world)

    draw()
    return [apart(world, f"w{index}") for index, world in enumerate(found)]


def everything(world: Source) -> dict[str, Rows]:
    """All rows by table, without those whose key the store refuses."""
    batches = {(row.course_id, row.batch_id) for row in world.enrolments}
    tables: dict[str, Rows] = {
        "content_hierarchy": [{"identifier": key, "hierarchy": text} for key, text in world.hierarchies.items()],
        "course_batch": [
            {"courseid": course, "batchid": batch, "startdate": "2026-01-01"} for course, batch in batches
        ],
        "user_enrolments": [
            {"userid": user, "courseid": course, "batchid": batch, "active": active, "status": status,
             "completedon": completed_on}
            for user, course, batch, active, status, completed_on, *_ in world.enrolments
        ],
        "user_content_consumption": [
            {"userid": user, "courseid": course, "batchid": batch, "contentid": content, "status": status}
            for user, course, batch, content, status, _ in world.progress
        ],
        "assessment_aggregator": [row._asdict() for row in world.attempts],
        "group": [
            {"id": row.group_id, "status": row.status,
             "activities": [{k: v for k, v in each.items() if v is not None} for each in row.activities or []]}
            for row in world.groups
        ],
        "group_member": [
            {"groupid": row.group_id, "userid": row.user_id, "status": row.status} for row in world.group_members
        ],
    }  # fmt: skip
    return {table: [row for row in rows if all(row[key] for key in _KEYS[table])] for table, rows in tables.items()}


class Platform:
    """The source tables; whoever writes progress touches the enrolment, as Sunbird's own writers do."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self._enrolled: set[tuple[str, str, str]] = set()

    def begin(self, worlds: list[Source]) -> None:
        for world in worlds:
            self._write(everything(world))

    def go_on(self, worlds: list[Source]) -> None:
        """A few rows of each world are written, of one or two tables; most worlds stay as they are."""
        for world in worlds:
            if self._chance.random() < 0.5:
                self._write(dict(self._some(everything(world))))

    def _some(self, tables: dict[str, Rows]) -> Iterator[tuple[str, Rows]]:
        # A hierarchy concerns everybody in the course, so that little is left to find wrong.
        often = [table for table in sorted(tables) if table != "content_hierarchy" or self._chance.random() < 0.15]
        for table in self._chance.sample(often, k=2):
            rows = tables[table]
            yield table, self._chance.sample(rows, k=min(len(rows), self._chance.choice([1, 1, 2, 5])))

    def _write(self, tables: dict[str, Rows]) -> None:
        for row in tables.get("user_enrolments", []):
            self._enrolled.add((row["userid"], row["courseid"], row["batchid"]))
        for table, rows in tables.items():
            self._store.load(table, rows)
        places = {
            (row["userid"], row["courseid"], row["batchid"]) for row in tables.get("user_content_consumption", [])
        }
        touched = [
            {"userid": user, "courseid": course, "batchid": batch, "lastcontentaccesstime": datetime.now(UTC)}
            for user, course, batch in sorted(places & self._enrolled)
        ]
        self._store.load("user_enrolments", touched)
