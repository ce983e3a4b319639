"""Ways to damage what is stored of one context: pure functions of its rows, each of which changes something.

What a checker has to find follows from what was changed: every entry that differs, with the value that it has now and
the one that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

Entries = dict[str, Any]  # of the map, or the one text, of a row


class Place(NamedTuple):
    """A table, and the key of a row of it in the order of the table."""

    table: str
    key: tuple[str, ...]


Rows = Mapping[Place, Entries]
LEARNERS, ACTIVITIES, DAYS = "activity_user_agg", "activity_agg", "activity_day_agg"
CATALOG, METADATA = "activity_catalog", "activity_metadata"
GROUPS, MEMBERS = "group_activity_agg", "group_activity_user_agg"
DAY_MS = 24 * 60 * 60 * 1000.0


Corruptor = Callable[[Rows, Random], Rows]


def _rows(rows: Rows, table: str, kind: str = "Course") -> dict[Place, Entries]:
    """The rows of activities of one type."""
    return {place: entries for place, entries in rows.items() if place.table == table and kind in place.key}


def _some(rows: Rows, chance: Random, table: str, kind: str = "Course", holds: str = "") -> Place:
    places = [place for place, entries in _rows(rows, table, kind).items() if not holds or holds in entries]
    return chance.choice(sorted(places))


def _with(rows: Rows, place: Place, **entries: Any) -> Rows:
    """The same rows with other entries in one; None takes one away."""
    changed = {**rows.get(place, {}), **entries}
    return {**rows, place: {name: value for name, value in changed.items() if value is not None}}


def _without(rows: Rows, place: Place) -> Rows:
    return {other: entries for other, entries in rows.items() if other != place}


def cell_dropped(rows: Rows, chance: Random) -> Rows:
    kind = chance.choice(["Course", "CourseUnit"])
    place = _some(rows, chance, LEARNERS, kind)
    return _with(rows, place, **{chance.choice(["completedCount", "leafNodesCount", "completionPercentage"]): None})


def row_dropped(rows: Rows, chance: Random) -> Rows:
    return _without(rows, _some(rows, chance, LEARNERS, chance.choice(["Course", "CourseUnit", "Quiz"])))


def learners_swapped(rows: Rows, chance: Random) -> Rows:
    one, other = chance.sample(sorted(_rows(rows, LEARNERS)), 2)
    return {**rows, one: rows[other], other: rows[one]}


def date_shifted(rows: Rows, chance: Random) -> Rows:
    name = chance.choice(["enrolledOn", "lastActiveOn"])
    place = _some(rows, chance, LEARNERS, holds=name)
    return _with(rows, place, **{name: rows[place][name] + chance.choice([-2, -1, 1, 2]) * DAY_MS})


def removal_lost(rows: Rows, chance: Random) -> Rows:
    """An entry of the job's own that a run has taken away is there again."""
    places = [place for place, entries in _rows(rows, LEARNERS).items() if "completedOn" not in entries]
    date = next(entries["enrolledOn"] for entries in _rows(rows, LEARNERS).values())
    gone: list[Entries] = [{"completedOn": date + DAY_MS}, {"maxScore": 3.0}, {"score:do_gone": 2.0}]
    return _with(rows, chance.choice(sorted(places)), **chance.choice(gone))


def percentage_wrong(rows: Rows, chance: Random) -> Rows:
    table, kind = chance.choice([(LEARNERS, "Course"), (ACTIVITIES, "Course"), (ACTIVITIES, "CourseUnit")])
    place = _some(rows, chance, table, kind)
    right = rows[place]["completionPercentage"]
    return _with(rows, place, completionPercentage=right - 0.01 if right else 0.01)


def score_wrong(rows: Rows, chance: Random) -> Rows:
    """Of a quiz in the row of its course."""
    scores = [(p, n) for p, entries in _rows(rows, LEARNERS).items() for n in entries if n.startswith("score:")]
    place, name = chance.choice(sorted(scores))
    return _with(rows, place, **{name: rows[place][name] + 1})


def stranger_added(rows: Rows, chance: Random) -> Rows:
    """A learner who is not enrolled has the row of one who is."""
    place = _some(rows, chance, LEARNERS)
    kind, activity, user, context = place.key
    return {**rows, Place(LEARNERS, (kind, activity, f"stranger-{user}", context)): rows[place]}


def count_doubled(rows: Rows, chance: Random) -> Rows:
    name = chance.choice(["enrolledCount", "startedCount", "completedCount", "completedLeafNodesCount"])
    place = _some(rows, chance, ACTIVITIES)
    return _with(rows, place, **{name: rows[place][name] * 2})


def count_off_by_one(rows: Rows, chance: Random) -> Rows:
    kind = chance.choice(["Course", "CourseUnit", "Quiz"])
    place = _some(rows, chance, ACTIVITIES, kind)
    name = chance.choice(["enrolledCount", "startedCount", "completedCount", "reached25Count"])
    return _with(rows, place, **{name: rows[place][name] + chance.choice([-1, 1])})


def day_moved(rows: Rows, chance: Random) -> Rows:
    """What was counted on one day is counted on the next."""
    place = _some(rows, chance, DAYS, holds="enrolledCount")
    moved = place.key[-1][:-2] + f"{int(place.key[-1][-2:]) + 1:02}"
    count = rows[place]["enrolledCount"]
    return _with(_with(rows, place, enrolledCount=None), Place(DAYS, (*place.key[:-1], moved)), enrolledCount=count)


def catalog_stale(rows: Rows, chance: Random) -> Rows:
    """A unit is said to be of another course, or one that is gone is still there."""
    place = _some(rows, chance, CATALOG, "CourseUnit")
    course = rows[place]["course_id"]
    if chance.random() < 0.5:
        return _with(rows, place, course_id=f"{course}-of-old")
    context, kind, unit = place.key
    return _with(rows, Place(CATALOG, (context, kind, f"{unit}-of-old")), course_id=course)


def metadata_wrong(rows: Rows, chance: Random) -> Rows:
    place = _some(rows, chance, METADATA)
    return _with(rows, place, **chance.choice([{"leafNodesCount": "99"}, {"status": "Draft"}]))


def member_lost(rows: Rows, chance: Random) -> Rows:
    return _without(rows, _some(rows, chance, MEMBERS))


def group_miscounted(rows: Rows, chance: Random) -> Rows:
    place = _some(rows, chance, GROUPS)
    name = chance.choice(["completedCount", "startedCount"])
    return _with(rows, place, **{name: rows[place][name] + 1})


CORRUPTORS: dict[str, Corruptor] = {
    "cell-dropped": cell_dropped,
    "row-dropped": row_dropped,
    "learners-swapped": learners_swapped,
    "date-shifted": date_shifted,
    "removal-lost": removal_lost,
    "percentage-wrong": percentage_wrong,
    "score-wrong": score_wrong,
    "stranger-added": stranger_added,
    "count-doubled": count_doubled,
    "count-off-by-one": count_off_by_one,
    "day-moved": day_moved,
    "catalog-stale": catalog_stale,
    "metadata-wrong": metadata_wrong,
    "member-lost": member_lost,
    "group-miscounted": group_miscounted,
}
