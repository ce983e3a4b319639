"""One server over one small world, for all tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cassandra.cluster import Session

from tests.harness.api import Api, api_settings, key_pair, served
from tests.harness.environment import Environment, environment

# The times of two runs of the job, in milliseconds since the epoch as answers have them.
EARLIER_RUN, RUN = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
EARLIER_RUN_MS, RUN_MS = 1767225600000, 1767312000000

COURSE = {"activity_type": "Course", "activity_id": "c1"}
COURSES = [{"type": "Course", "id": "c1"}, {"type": "Course", "id": "c2"}]
NUMBERS = {"completedCount": 3.0, "completionPercentage": 66.66, "enrolledOn": 1767261600000.0}
OTHER_PORT = 1  # where no Cassandra answers
BIG_GROUP = [f"m{number:03d}" for number in range(150)]


@pytest.fixture(scope="package")
def world(cassandra: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Groups g1 (active), g2 (inactive), big (150 members), and the group of the examples in the OpenAPI document."""
    with environment(cassandra, tmp_path_factory.mktemp("migrate")) as world:
        fill(world)
        yield world


@pytest.fixture(scope="package")
def api(world: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    keys = key_pair()
    settings = {
        "sources": {"users": {"format": "cassandra", "keyspace": world.sources, "table": "user"}},
        "api": {**api_settings(folder, keys), "profile": {"firstname": "firstname"}, "workers": 2},
    }
    with served(world.configure(settings, folder), keys) as api:
        yield api


def fill(world: Environment) -> None:
    load, merge = world.store.load, world.store.merge
    duplicate, blank = COURSES[0], {"type": "Course", "id": " "}
    load(
        "group",
        [
            {"id": "g1", "status": "active", "activities": [*COURSES, duplicate, blank]},
            {"id": "g2", "status": "inactive", "activities": COURSES},
            {"id": "big", "status": "active", "activities": COURSES},
            {"id": "cef3dc0b", "status": "active", "activities": [{"type": "Course", "id": "do_31289"}]},
        ],
    )
    load("group_member", [*members("g1"), *members("g2"), *(member("big", user) for user in BIG_GROUP)])
    load("group_member", [member("cef3dc0b", "u1"), member("cef3dc0b", "5a5ab4e3")])
    load("user", [{"id": "u1", "firstname": "Asha", "lastname": "Bose"}, {"id": "u4", "firstname": "Dev"}])
    agg, earlier, now = "agg", EARLIER_RUN, RUN
    merge(
        "group_activity_agg",
        [
            {"group_id": "g1", **COURSE, agg: {"memberCount": 3}, "agg_last_updated": {"memberCount": now}},
            {"group_id": "g1", **COURSE, agg: {"completionPercentage": 66.66, "undated": 7}},
            {"group_id": "g1", **COURSE, "agg_last_updated": {"completionPercentage": earlier}},
            {"group_id": "g1", **COURSE, "activity_id": "c9", agg: {"memberCount": 1}},  # no activity of the group
            {"group_id": "cef3dc0b", **COURSE, "activity_id": "do_31289", agg: {"memberCount": 1}},
        ],
    )
    row = {"agg": {"completedCount": 2, "completed": 1}, "agg_last_updated": {"completedCount": earlier}}
    merge(
        "group_activity_user_agg",
        [
            {"group_id": "g1", **COURSE, "user_id": "u1", **row},
            {"group_id": "g1", **COURSE, "user_id": "u3", **row},  # has left, and the job has not run since
            {"group_id": "g1", **COURSE, "user_id": "u4", **row, "agg_last_updated": {"completedCount": now}},
            *({"group_id": "big", **COURSE, "user_id": user, **row} for user in BIG_GROUP),
            {"group_id": "cef3dc0b", **COURSE, "activity_id": "do_31289", "user_id": "u1", **row},
        ],
    )
    fill_nested(world, row)
    fill_contexts(world)
    fill_numbers(world)
    shown = {"name": "Algebra", "endDate": "2026-12-31", "id": "another", "type": "Another", "agg": "another"}
    merge("activity_metadata", [{**COURSE, "metadata": shown}])


def fill_nested(world: Environment, row: dict[str, Any]) -> None:
    """The group `nest` lists the course p1 alone, which has n1 and n2 inside; x1 is a course of its own."""
    load, merge = world.store.load, world.store.merge
    listed = {"type": "Collection", "id": "p1"}
    load("group", [{"id": "nest", "status": "active", "activities": [listed]}])
    load("group_member", [member("nest", user) for user in ("v1", "v2", "v3")])
    load("user", [{"id": user, "firstname": f"Vera {user}"} for user in ("v1", "v2")])
    better = {"agg": {"completed": 1, "completionPercentage": 75}}

    def own(kind: str, activity: str, user: str, context: str, maps: dict[str, Any]) -> dict[str, Any]:
        key = {"activity_type": kind, "activity_id": activity, "user_id": user, "context_id": context}
        return {**key, **maps}

    merge(
        "activity_user_agg",
        [
            own("Course", "p1", "v1", "cb:p", row),
            own("CourseUnit", "n1", "v1", "cb:p", better),
            own("Course", "n1", "v1", "cb:n", row),
            own("Course", "n1", "v2", "cb:n", row),
            own("Course", "n1", "u9", "cb:n", row),  # not of this group
            own("Course", "n1", "v3", "cb:n", {"agg": {"points": 7}}),  # has left, and another writer's entry is there
            own("Course", "n1", "v3", "region:north", row),  # another writer's row
            own("Course", "n2", "v2", "cb:n2", row),
            own("Course", "x1", "v1", "cb:x", row),
        ],
    )
    below = {"context_id": "cb:p", "activity_type": "CourseUnit", "course_id": "p1"}
    load("activity_catalog", [{**below, "activity_id": "n1"}, {**below, "activity_id": "n2"}])
    itself = {"context_id": "cb:x", "activity_type": "Course", "activity_id": "x1", "course_id": "x1"}
    load("activity_catalog", [itself])
    merge(
        "group_activity_user_agg",
        [
            {"group_id": "nest", "activity_type": "Collection", "activity_id": "p1", "user_id": "v2", **row},
            # Has left; what is there is of a family that is off.
            {
                "group_id": "nest",
                "activity_type": "Collection",
                "activity_id": "p1",
                "user_id": "v3",
                "agg": {"enrolledOn": 1},
            },
        ],
    )
    load("group", [{"id": "scored", "status": "active", "activities": COURSES}])
    load("group_member", [member("scored", "v1")])
    scored = {"score:do_1": 3, "max_score:do_1": 5, "attempts_count:do_1": 2}
    of_c2 = {"group_id": "scored", **COURSE, "activity_id": "c2", "user_id": "v1", "agg": scored}
    merge("group_activity_user_agg", [of_c2])


def fill_contexts(world: Environment) -> None:
    """c1 in the batch b1, and the activity of the examples in theirs."""
    counted = {"agg": {"enrolledCount": 3}, "agg_last_updated": {"enrolledCount": RUN}}
    of_examples = {"activity_type": "Course", "activity_id": "do_31289", "context_id": "cb:0130"}
    world.store.merge("activity_agg", [{**COURSE, "context_id": "cb:b1", **counted}, {**of_examples, **counted}])
    one = {"agg": {"completedCount": 1, "score:do_1": 3}, "agg_last_updated": {"completedCount": RUN}}
    world.store.merge(
        "activity_user_agg",
        [{**COURSE, "user_id": "u1", "context_id": context, **one} for context in ("cb:b1", "cb:b2")],
    )


def fill_numbers(world: Environment) -> None:
    """The course 42 in the batch n, for u1 of the group `numbers`: its name is a text of digits."""
    load, merge = world.store.load, world.store.merge
    course, row = {"activity_type": "Course", "activity_id": "42"}, {"agg": NUMBERS}
    load("group", [{"id": "numbers", "status": "active", "activities": [{"type": "Course", "id": "42"}]}])
    load("group_member", [member("numbers", "u1")])
    merge("activity_metadata", [{**course, "metadata": {"name": "42", "status": "1.0", "leafNodesCount": "12"}}])
    merge("activity_user_agg", [{**course, "user_id": "u1", "context_id": "cb:n", **row}])
    merge("activity_agg", [{**course, "context_id": "cb:n", **row}])
    merge("activity_day_agg", [{**course, "context_id": "cb:n", "day": "2026-01-31", **row}])
    merge("group_activity_agg", [{"group_id": "numbers", **course, **row}])
    merge("group_activity_user_agg", [{"group_id": "numbers", **course, "user_id": "u1", **row}])


def members(group: str) -> list[dict[str, str]]:
    """u1 and u4 have rows, u2 has never enrolled, u3 has left."""
    return [
        member(group, "u1", role="admin"),
        member(group, "u2"),
        member(group, "u3", status="inactive"),
        member(group, "u4"),
    ]


def member(group: str, user: str, status: str = "active", role: str = "member") -> dict[str, str]:
    return {"groupid": group, "userid": user, "status": status, "role": role, "createdby": "u1"}
