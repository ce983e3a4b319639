"""Many generated sources in one: a Spark plan costs seconds to start, so hundreds of small worlds share each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from tests.model import Expected, Source, model

_IDS = {"user_id", "course_id", "batch_id", "group_id"}
Row = TypeVar("Row", bound=NamedTuple)


def apart(world: Source, name: str) -> Source:
    """The same world with users, courses, batches and groups of its own; blank ids stay blank."""

    def named(identifier: str | None) -> str | None:
        return f"{name}.{identifier}" if identifier and identifier.strip() else identifier

    def renamed(rows: list[Row]) -> list[Row]:
        return [row._replace(**{key: named(getattr(row, key)) for key in _IDS & set(row._fields)}) for row in rows]

    def with_courses(text: str | None) -> str | None:
        for course in world.hierarchies if text else ():
            text = text.replace(f'"identifier": "{course}"', f'"identifier": "{named(course)}"') if text else text
        return text

    def listed(activity: dict[str, str | None]) -> dict[str, str | None]:
        return activity | {"id": named(activity["id"])} if activity["type"] == "Course" else activity

    return Source(
        enrolments=renamed(world.enrolments),
        progress=renamed(world.progress),
        hierarchies={str(named(course)): with_courses(text) for course, text in world.hierarchies.items()},
        attempts=renamed(world.attempts),
        groups=[
            group._replace(activities=[listed(activity) for activity in group.activities or []])
            for group in renamed(world.groups)
        ],
        group_members=renamed(world.group_members),
    )


def united(worlds: Sequence[Source]) -> Source:
    """All rows of worlds that are apart."""
    whole = Source()
    for world in worlds:
        whole.enrolments.extend(world.enrolments)
        whole.progress.extend(world.progress)
        whole.hierarchies.update(world.hierarchies)
        whole.attempts.extend(world.attempts)
        whole.groups.extend(world.groups)
        whole.group_members.extend(world.group_members)
    return whole


def expected(worlds: Sequence[Source], sticky: bool, scores_in_course: bool) -> Expected:
    """What the model says of each world, together."""
    whole = Expected({}, {}, {}, {}, {}, Counter())
    for world in worlds:
        found = model(world, "sticky" if sticky else "current", scores_in_course)
        whole.activity_user_agg.update(found.activity_user_agg)
        whole.activity_agg.update(found.activity_agg)
        whole.group_activity_agg.update(found.group_activity_agg)
        whole.group_activity_user_agg.update(found.group_activity_user_agg)
        whole.catalog.update(found.catalog)
        whole.counts.update(found.counts)
    return whole
