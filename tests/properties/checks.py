"""What must hold of the tables after one command: told from the sources, the tables before and after, and the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.model import Metrics, Settings, Source, Tables, UserKey, differences, model
from tests.model.acceptance import Enrolments, accept_enrolments, accept_group_attempts
from tests.model.aggregates import of_unsettled_courses
from tests.model.courses import read_course
from tests.model.groups import Groups, active_members, group_activities
from tests.model.tables import KEYS, CatalogKey, own_entries, own_rows, own_tables

Pair = tuple[str, str]  # a learner and a context


def accepted(source: Source) -> Enrolments:
    courses = {key: read_course(key, text) for key, text in source.hierarchies.items()}
    return accept_enrolments(source.enrolments, courses, Counter())


def whole_problems(source: Source, settings: Settings, before: Tables, after: Tables) -> list[str]:
    """Of a run that looked at everything: all tables are the model's."""
    wanted = model(source, settings, before)
    return differences(of_batches(after), of_batches(wanted))


def of_batches(tables: Tables) -> Tables:
    """The catalog without quizzes that were held in groups: no course owns them."""
    catalog = {key: course for key, course in tables.activity_catalog.items() if key.context_id.startswith("cb:")}
    return replace(tables, activity_catalog=catalog)


def pair_problems(
    source: Source, settings: Settings, before: Tables, after: Tables, pairs: Iterable[Pair], whole: set[str]
) -> list[str]:
    """Of a run that looked at pairs, and at all pairs of `whole` contexts: their rows are the model's.

    Where another course owns a unit or a quiz than in the model, the run has not seen what gave it away.
    """
    wanted, looked_at = model(source, settings, before), {*pairs}

    def of_pairs(tables: Tables) -> dict[UserKey, Metrics]:
        return {
            key: own
            for key, own in own_rows("activity_user_agg", tables.activity_user_agg, settings).items()
            if (key.user_id, key.context_id) in looked_at or key.context_id in whole
        }

    def owner(tables: Tables, key: UserKey) -> str | None:
        return tables.activity_catalog.get(CatalogKey(key.context_id, key.activity_type, key.activity_id))

    found, expected = of_pairs(after), of_pairs(wanted)
    return [
        f"activity_user_agg {' '.join(key)}: expected {expected.get(key)}, found {found.get(key)}"
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
        and (key.activity_type == "Course" or owner(after, key) == owner(wanted, key))
    ]


def foreign_problems(before: Tables, after: Tables, settings: Settings, erased: set[str]) -> list[str]:
    """Of any run: it has not touched what others have written."""
    return [
        f"{table} {' '.join(key)}: {name} of another writer was {value}, is {rows.get(key, {}).get(name)}"
        for table in KEYS
        for rows in [getattr(after, table)]
        for key, entries in getattr(before, table).items()
        for name, value in entries.items()
        if name not in own_entries(table, key, entries, settings)
        and rows.get(key, {}).get(name) != value
        and not erased & {*key}
    ]


def frozen_problems(source: Source, settings: Settings, before: Tables, after: Tables) -> list[str]:
    """Of any run but an erase: the rows of courses that are refused or retired are as they were."""
    unsettled = accepted(source).unsettled
    stood = of_unsettled_courses(own_tables(before, settings), unsettled)
    return [
        f"of an unsettled course: {problem}"
        for problem in differences(of_unsettled_courses(own_tables(after, settings), unsettled), stood)
    ]


def requirement_problems(source: Source, settings: Settings, before: Tables, after: Tables) -> list[str]:
    """Of an erase: it counts such courses anew, and what they require is known by the stored rows alone."""
    stood = of_unsettled_courses(own_tables(before, settings), accepted(source).unsettled).activity_agg
    return [
        f"activity_agg {' '.join(key)}: leafNodesCount of an unsettled course was {row['leafNodesCount']}, is {now}"
        for key, row in stood.items()
        if "leafNodesCount" in row
        and (now := after.activity_agg.get(key, {}).get("leafNodesCount")) != row["leafNodesCount"]
    ]


def without_courses(tables: Tables, courses: set[str]) -> Tables:
    """The tables without the rows of some courses, and of what belongs to them."""
    theirs = of_unsettled_courses(tables, courses)
    others: dict[str, Any] = {
        table: {key: row for key, row in getattr(tables, table).items() if key not in getattr(theirs, table)}
        for table in ("activity_user_agg", "activity_agg", "activity_day_agg", "activity_catalog")
    }
    return replace(tables, **others)


def group_problems(source: Source, settings: Settings, before: Tables, after: Tables) -> list[str]:
    """Of any run: the groups follow the rows of their members that it has changed."""
    counts, members = Counter[str](), active_members(source, Counter())
    stored = own_rows("activity_user_agg", after.activity_user_agg, settings)
    stood = own_rows("activity_user_agg", before.activity_user_agg, settings)
    moved = {key.user_id for key in {*stored, *stood} if stored.get(key) != stood.get(key)}
    held = accept_group_attempts(source, counts)
    groups = Groups(stored, after.activity_catalog, members, held, settings, after.activity_user_agg)
    activities = {
        group for group in group_activities(source.groups, settings, counts) if moved & members[group.group_id]
    }
    of_groups, of_members = groups.rows(activities)
    return [
        *_differing("group_activity_agg", of_groups, after.group_activity_agg, settings),
        *_differing("group_activity_user_agg", of_members, after.group_activity_user_agg, settings),
    ]


def _differing(table: str, wanted: dict[Any, Metrics], stored: dict[Any, Metrics], settings: Settings) -> list[str]:
    return [
        f"{table} {' '.join(key)}: its members' rows say {metrics}, it is {stored.get(key)}"
        for key, metrics in sorted(wanted.items())
        if own_entries(table, key, stored.get(key, {}), settings) != metrics
    ]


def erased_problems(after: Tables, erased: set[str]) -> list[str]:
    columns = {table: key._fields.index("user_id") for table, key in KEYS.items() if "user_id" in key._fields}
    return [
        f"{table} {' '.join(key)}: this learner was erased"
        for table, column in columns.items()
        for key in getattr(after, table)
        if key[column] in erased
    ]


def unchanged(before: Tables, after: Tables) -> list[str]:
    """Of a command that writes nothing."""
    return [f"it was to write nothing: {problem}" for problem in differences(after, before)]
