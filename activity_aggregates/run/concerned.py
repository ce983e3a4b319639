"""Finds what has changed since the last run, and what that concerns."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.run.computation import Counts
from activity_aggregates.run.steps import Steps
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    BATCHES,
    ENROLMENTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    Sources,
    SourceTable,
    fields,
)
from activity_aggregates.spark.kept import kept, listed, materialised
from activity_aggregates.store.stored_rows import Stored
from activity_aggregates.store.targets import GROUP_ACTIVITY_AGG
from metrics import concerned, courses, groups, names, refusals

# Progress is read of the learners that these name, so nothing needs to say when it was changed.
DATED = (ENROLMENTS, ATTEMPTS, HIERARCHIES, BATCHES, GROUPS, GROUP_MEMBERS)


@dataclass(frozen=True)
class Touched:
    """(context_id) and (group_id) whose rows may be half-written."""

    contexts: DataFrame
    groups: DataFrame


@dataclass(frozen=True)
class ConcernedGroups:
    """`recounted` (group_id) are computed from all their members, the rest of `affected` by differences."""

    affected: DataFrame
    recounted: DataFrame
    stored: DataFrame


@dataclass(frozen=True)
class Concerned:
    """What a run has to look at.

    `changed` are pairs (user_id, context_id), `contexts` those where a row may change, `recounted` those of them that
    are computed from all their learners. `sources` are narrowed to the courses that have to be known for these.
    """

    everything: Sources
    sources: Sources
    enrolments: DataFrame
    changed: DataFrame
    contexts: DataFrame
    recounted: DataFrame
    groups: ConcernedGroups | None


def find_concerned(
    sources: Sources,
    stored: Stored,
    catalog: DataFrame,
    since_ms: int,
    touched: Touched,
    counts: Counts,
    steps: Steps,
) -> Concerned:
    """From one scan of every source but progress."""
    with steps("find changes") as step:
        enrolments = kept(sources.dated(ENROLMENTS))
        counts["scanned.enrolments"] = step.rows = enrolments.count()
        changed_rows = enrolments.filter(concerned.is_changed_since(since_ms))
        changed_courses = listed(
            _changed(sources, HIERARCHIES, since_ms).filter(~courses.is_draft()).select("course_id")
        )
        changed = materialised(
            concerned.distinct_ids(
                concerned.pairs(changed_rows), concerned.pairs(_changed(sources, ATTEMPTS, since_ms))
            )
        )
        recounted = listed(
            concerned.distinct_ids(
                concerned.contexts_of_courses(enrolments, catalog, changed_courses), touched.contexts
            )
        )
        changed_batches = _changed(sources, BATCHES, since_ms).select("course_id").distinct()
        contexts = listed(
            concerned.distinct_ids(
                changed.select("context_id"),
                recounted,
                concerned.contexts_of_courses(enrolments, catalog, changed_batches),
            )
        )
        course_ids = [
            concerned.in_contexts(enrolments, contexts).select("course_id"),
            catalog.join(contexts, "context_id", how="left_semi").select("course_id"),
        ]
        of_groups = None
        if sources.has(GROUPS) and sources.has(GROUP_MEMBERS):
            users = concerned.in_contexts(enrolments, contexts).select("user_id").union(changed.select("user_id"))
            of_groups, theirs = _concerned_groups(sources, stored, catalog, since_ms, touched, changed_courses, users)
            course_ids.append(concerned.courses_of_activities(catalog, theirs))
        wanted = listed(concerned.distinct_ids(*course_ids))
        narrowed = _narrowed(sources, enrolments, since_ms, wanted)
    return Concerned(sources, narrowed, enrolments, changed, contexts, recounted, of_groups)


def _changed(sources: Sources, table: SourceTable, since_ms: int) -> DataFrame:
    return sources.dated(table).filter(concerned.is_changed_since(since_ms))


def _narrowed(sources: Sources, enrolments: DataFrame, since_ms: int, course_ids: DataFrame) -> Sources:
    """The rows of these courses; a changed enrolment that names no place stays, to be refused."""
    is_nameless = refusals.any_blank("user_id", "course_id", "batch_id") & concerned.is_changed_since(since_ms)
    flagged = enrolments.join(course_ids.withColumn("is_wanted", F.lit(True)), "course_id", how="left")
    wanted = flagged.filter(F.coalesce("is_wanted", F.lit(False)) | is_nameless)
    return sources.narrowed(
        enrolments=wanted.select(*(field.name for field in fields(ENROLMENTS))),
        hierarchies=sources.frame(HIERARCHIES).join(course_ids, "course_id", how="left_semi"),
        attempts=sources.frame(ATTEMPTS).join(course_ids, "course_id", how="left_semi"),
    )


def _concerned_groups(
    sources: Sources,
    stored: Stored,
    catalog: DataFrame,
    since_ms: int,
    touched: Touched,
    changed_courses: DataFrame,
    users: DataFrame,
) -> tuple[ConcernedGroups, DataFrame]:
    """The groups, and (activity_type, activity_id) of their activities."""
    wanted = groups.group_activities(refusals.accepted(groups.assess_group_activities(sources.frame(GROUPS))))
    members = groups.active_members(refusals.accepted(groups.assess_members(sources.frame(GROUP_MEMBERS))))
    held = materialised(stored.rows(GROUP_ACTIVITY_AGG).filter(names.is_served_activity()))
    activities = materialised(wanted.union(held.select(*groups.GROUP_ACTIVITY_KEY)).distinct())
    of_courses = concerned.activities_of_courses(catalog, changed_courses).distinct()
    recounted = listed(
        concerned.distinct_ids(
            concerned.differing_groups(wanted, members, held),
            _changed(sources, GROUPS, since_ms).select("group_id"),
            _changed(sources, GROUP_MEMBERS, since_ms).select("group_id"),
            activities.join(of_courses, list(concerned.ACTIVITY), how="left_semi").select("group_id"),
            touched.groups,
        )
    )
    theirs = members.join(users.distinct(), "user_id", how="left_semi").select("group_id")
    affected = listed(concerned.distinct_ids(recounted, theirs))
    of_affected = activities.join(affected, "group_id", how="left_semi").select(*concerned.ACTIVITY).distinct()
    return ConcernedGroups(affected, recounted, held), of_affected
