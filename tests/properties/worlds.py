"""Many generated sources in one: a Spark plan costs seconds to start, so hundreds of small worlds share each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple, TypeVar

from tests.model import Settings, Source, Tables, model

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
        return activity | {"id": named(activity["id"])} if is_of_course(activity) else activity

    def is_of_course(activity: dict[str, str | None]) -> bool:
        return activity["id"] in world.hierarchies or activity["type"] not in ("CourseUnit", "Quiz")

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
        group_attempts=renamed(world.group_attempts),
        timespent=renamed(world.timespent),
    )


def united(worlds: Sequence[Source]) -> Source:
    """All rows of worlds that are apart."""
    whole = Source()
    for world in worlds:
        whole.hierarchies.update(world.hierarchies)
        for table in fields(Source):
            if table.name != "hierarchies":
                getattr(whole, table.name).extend(getattr(world, table.name))
    return whole


def expected(worlds: Sequence[Source], settings: Settings) -> Tables:
    """What the model says of each world, together."""
    whole = Tables()
    for world in worlds:
        found = model(world, settings)
        for table in fields(Tables):
            getattr(whole, table.name).update(getattr(found, table.name))
    return whole
