"""What erasing learners means: they are gone from the sources as a run reads them, and from what is stored."""

from dataclasses import replace
from typing import Any

from tests.model.activities import day_rows, of_learners, summary
from tests.model.rows import Metrics, Settings, Source
from tests.model.tables import KEYS, ActivityKey, CatalogKey, Tables, own_rows, with_foreign_entries


def without(source: Source, erased: set[str]) -> Source:
    """The source as a run reads it."""
    return replace(
        source,
        enrolments=[row for row in source.enrolments if row.user_id not in erased],
        progress=[row for row in source.progress if row.user_id not in erased],
        attempts=[row for row in source.attempts if row.user_id not in erased],
        group_members=[row for row in source.group_members if row.user_id not in erased],
        group_attempts=[row for row in source.group_attempts if row.user_id not in erased],
        timespent=[row for row in source.timespent if row.user_id not in erased],
    )


def erased_from(before: Tables, erased: set[str], settings: Settings) -> Tables:
    """What is stored, without their rows; activities in which they were are counted anew from the rows that stay."""
    kept: dict[str, Any] = {
        table: {key: row for key, row in getattr(before, table).items() if key.user_id not in erased}
        for table, key in KEYS.items()
        if "user_id" in key._fields
    }
    tables = replace(before, **kept)
    learners = own_rows("activity_user_agg", tables.activity_user_agg, settings)
    rows_of = {
        ActivityKey(key.activity_type, key.activity_id, key.context_id)
        for key in before.activity_user_agg
        if key.user_id in erased
    }
    of_courses = {  # whoever leaves a course is a learner less of its units and quizzes, too
        ActivityKey(key.activity_type, key.activity_id, key.context_id)
        for key, course in before.activity_catalog.items()
        if ActivityKey("Course", course, key.context_id) in rows_of
    }
    left = rows_of | of_courses
    stored = own_rows("activity_agg", before.activity_agg, settings)
    days = own_rows("activity_day_agg", before.activity_day_agg, settings)
    counted = Tables(
        activity_agg=stored
        | {key: counted_anew(key, stored[key], learners, before, settings) for key in left & {*stored}},
        activity_day_agg={key: row for key, row in days.items() if ActivityKey(*key[:3]) not in left}
        | day_rows(
            ((key, row) for key, row in learners.items() if ActivityKey(key[0], key[1], key[3]) in left), settings
        ),
    )
    with_others = with_foreign_entries(counted, before, settings)
    return replace(tables, activity_agg=with_others.activity_agg, activity_day_agg=with_others.activity_day_agg)


def counted_anew(
    key: ActivityKey, stored: Metrics, learners: dict[Any, Metrics], before: Tables, settings: Settings
) -> Metrics:
    course = before.activity_catalog.get(CatalogKey(key.context_id, key.activity_type, key.activity_id))
    enrolled = len(of_learners(learners, ActivityKey("Course", str(course), key.context_id)))
    leaf_nodes = int(stored.get("leafNodesCount", 0))
    return summary(key.activity_type, of_learners(learners, key), enrolled, leaf_nodes, settings)
