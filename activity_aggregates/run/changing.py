"""The rows that changes concern: computed for learners who may have changed, compared, counted by differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.run.comparison import Comparison, Groups, learners_after, with_kept
from activity_aggregates.run.computation import (
    Counts,
    Enrolled,
    placed_activities,
    read_attempts,
    read_progress,
)
from activity_aggregates.run.concerned import Concerned, ConcernedGroups
from activity_aggregates.run.description import Description
from activity_aggregates.run.steps import Steps
from activity_aggregates.sources.tables import HIERARCHIES, PROGRESS
from activity_aggregates.spark.kept import listed, materialised
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
)
from metrics import activities, concerned, courses, differences, groups, names, unsettled
from metrics.catalog import ACTIVITY_IN_CONTEXT

_CHANGING_LEARNER = ("activity_type", "activity_id", "user_id")


@dataclass(frozen=True)
class Lookups:
    """Chooses between asking for each key and scanning everything, by what both cost; says what it chose."""

    sizes: Mapping[str, int]
    rows_per_lookup: int
    steps: Steps

    def chosen(self, what: str, keys: DataFrame) -> bool:
        """Whether to look the keys up; where it is not known how much a scan reads, yes."""
        wanted, size = keys.count(), self.sizes.get(what)
        by_lookup = size is None or wanted * self.rows_per_lookup < size
        way = "by key" if by_lookup else "by a scan, as they are many"
        self.steps.say(f"{what}: reads {wanted:,} keys {way}")
        return by_lookup


@dataclass(frozen=True)
class Changing:
    """The computed rows of the concerned learners, and the stored rows which these replace or retract."""

    concerned: Concerned
    enrolled: Enrolled
    owners: DataFrame
    catalog: DataFrame
    recounted: DataFrame
    pairs: DataFrame
    learners: DataFrame
    refused: Mapping[str, DataFrame]

    @property
    def catalog_here(self) -> DataFrame:
        """The catalog, as last written, of the contexts that have a concerned learner."""
        return self.catalog.join(self.concerned.contexts, "context_id", how="left_semi")

    @property
    def catalog_elsewhere(self) -> DataFrame:
        """The catalog of all other contexts, which the run leaves as it is."""
        return self.catalog.join(self.concerned.contexts, "context_id", how="left_anti")

    def placed(self, elsewhere: DataFrame) -> DataFrame:
        """(context_id, activity_type, activity_id, course_id) of the activities here, and of rows from elsewhere."""
        columns = [*ACTIVITY_IN_CONTEXT, "course_id"]
        return self.owners.select(*columns).union(elsewhere.select(*columns))


def compute(
    found: Concerned,
    enrolled: Enrolled,
    catalog_before: DataFrame,
    choices: settings.Metrics,
    directory: RunDirectory,
    lookups: Lookups,
    counts: Counts,
) -> Changing:
    """The rows of the learners whose rows may change."""
    steps, sources = lookups.steps, found.sources
    with steps("read attempts") as step:
        attempted = read_attempts(sources, enrolled.by_key, counts)
        owners = placed_activities(enrolled, attempted.scores, counts, found.contexts)
        step.rows = counts["read.attempts"]
    with steps("find learners") as step:
        broken = unsettled.unsettled_contexts(enrolled.unsettled, catalog_before)
        recounted = listed(
            concerned.distinct_ids(
                found.recounted,
                broken.join(found.contexts, "context_id", how="left_semi"),
                concerned.moved_contexts(owners, catalog_before),
            )
        )
        all_of_them = concerned.pairs(concerned.in_contexts(found.enrolments, recounted))
        pairs = materialised(concerned.distinct_ids(found.changed, all_of_them))
        counts["concerned.learners"] = step.rows = pairs.count()
        counts["concerned.contexts"] = found.contexts.count()
        counts["recounted.contexts"] = recounted.count()
        theirs = materialised(concerned.of_pairs(enrolled.by_key, pairs))
    with steps(f"look up {PROGRESS.name}"):
        key = ["user_id", "course_id", "batch_id"]
        keys = materialised(theirs.select(*key).distinct())
        by_lookup = lookups.chosen(PROGRESS.name, keys)
        progress = sources.narrowed(progress=sources.matching(PROGRESS, keys, key, by_lookup))
    scores = attempted.scores.join(pairs, list(concerned.PAIR), how="left_semi")
    read = read_progress(progress, theirs, enrolled.outlines, scores, owners, choices, directory, counts, steps)
    refused = {"progress": read.refused, "attempts": attempted.refused}
    return Changing(found, enrolled, owners, catalog_before, recounted, pairs, read.learners, refused)


def stage(
    comparison: Comparison, changing: Changing, group: Groups | None, described: Description, lookups: Lookups
) -> None:
    """Compare with what is stored and stage what differs, table by table."""
    of_groups = changing.concerned.groups
    with lookups.steps(f"look up {ACTIVITY_USER_AGG.name}"):
        members = _members(changing, of_groups, group) if of_groups and group else None
        stored = _stored_learners(comparison, changing, members, lookups)
    staged = _stage_learners(comparison, changing, stored, members)
    _stage_activities(comparison, changing, stored, lookups)
    comparison.stage_catalog(changing.owners, changing.catalog_here, changing.enrolled.unsettled, F.lit(True))
    if described:
        with lookups.steps("describe activities"):
            rows = _described(changing, described)
        comparison.stage_metadata(rows, described)
    if of_groups and group and members is not None:
        _stage_groups(comparison, changing, of_groups, group, members, staged)


def _members(changing: Changing, of_groups: ConcernedGroups, group: Groups) -> DataFrame:
    """`MEMBER_KEY` of those whose rows may change."""
    users = changing.pairs.select("user_id").distinct().withColumn("is_concerned", F.lit(True))
    recounted = of_groups.recounted.withColumn("is_recounted", F.lit(True))
    flagged = group.members.join(users, "user_id", how="left").join(recounted, "group_id", how="left")
    wanted = flagged.filter(F.coalesce("is_concerned", "is_recounted"))
    return materialised(wanted.select(*groups.MEMBER_KEY))


def _stored_learners(
    comparison: Comparison, changing: Changing, members: DataFrame | None, lookups: Lookups
) -> DataFrame:
    """The stored rows, in all contexts, of whom the run computes or what a concerned learner may have had.

    They carry `is_concerned`: whether the row is of a concerned learner in that context.
    """
    key = list(_CHANGING_LEARNER)
    had = changing.pairs.join(changing.catalog, "context_id", how="inner").select(*key)
    parts = [had, changing.learners.select(*key), *([] if members is None else [members.select(*key)])]
    keys = materialised(concerned.distinct_ids(*parts))
    by_lookup = lookups.chosen(ACTIVITY_USER_AGG.name, keys)
    rows = comparison.stored.matching(ACTIVITY_USER_AGG, keys, key, by_lookup).filter(names.is_served_row())
    flags = changing.pairs.withColumn("is_concerned", F.lit(True))
    flagged = rows.join(flags, list(concerned.PAIR), how="left")
    return materialised(flagged.withColumn("is_concerned", F.coalesce("is_concerned", F.lit(False))))


def _stage_learners(
    comparison: Comparison, changing: Changing, stored: DataFrame, members: DataFrame | None
) -> DataFrame:
    computed = changing.learners.select(*ACTIVITY_USER_AGG.key, F.lit(True).alias("is_computed_now"), "agg")
    held = unsettled.with_unsettled(stored, changing.enrolled.unsettled, changing.catalog)
    is_open = F.coalesce("is_computed_now", F.lit(False)) | F.coalesce("is_concerned", F.lit(False))
    return comparison.stage(ACTIVITY_USER_AGG, computed, held, is_open, members)


def _stage_activities(comparison: Comparison, changing: Changing, stored_learners: DataFrame, lookups: Lookups) -> None:
    with lookups.steps(f"look up {ACTIVITY_AGG.name}"):
        key = list(ACTIVITY_AGG.key)
        keys = materialised(concerned.distinct_ids(changing.catalog_here.select(*key), changing.owners.select(*key)))
        by_lookup = lookups.chosen(ACTIVITY_AGG.name, keys)
        stored = materialised(comparison.stored.matching(ACTIVITY_AGG, keys, key, by_lookup))
    replaced = stored_learners.filter("is_concerned")
    sums = differences.activity_sums(
        changing.learners,
        stored.join(changing.recounted, "context_id", how="left_anti"),
        replaced.join(changing.recounted, "context_id", how="left_anti"),
    )
    computed = activities.activity_rows(changing.owners, sums)
    held = unsettled.with_unsettled(stored, changing.enrolled.unsettled, changing.catalog)
    comparison.stage(ACTIVITY_AGG, computed, held, F.lit(True))


def _described(changing: Changing, described: Description) -> DataFrame:
    """The metadata of the activities here; one that other contexts have as well may be described by their course."""
    activity = list(concerned.ACTIVITY)
    here = changing.owners.select(*activity).distinct()
    elsewhere = changing.catalog_elsewhere.join(here, activity, how="left_semi")
    sources = changing.concerned.everything
    known = changing.enrolled.outlines
    course_ids = elsewhere.select("course_id").distinct().join(known, "course_id", how="left_anti")
    trees = sources.frame(HIERARCHIES).join(course_ids, "course_id", how="left_semi")
    outlines = materialised(courses.settled(known.unionByName(courses.outlines(trees, described.fields))))
    placed = changing.placed(elsewhere)
    return described.rows(placed.withColumn("is_in_scope", F.lit(True)), outlines)


def _stage_groups(
    comparison: Comparison,
    changing: Changing,
    of_groups: ConcernedGroups,
    group: Groups,
    members: DataFrame,
    staged: DataFrame,
) -> None:
    with comparison.steps("compute groups"):
        activity = list(concerned.ACTIVITY)
        untouched = listed(unsettled.unsettled_activities(changing.enrolled.unsettled, changing.catalog))
        present = group.activities.join(untouched, activity, how="left_anti")
        everyone = materialised(group.members.join(untouched, activity, how="left_anti"))
        touched = members.join(untouched, activity, how="left_anti")
        rows = materialised(groups.member_rows(touched, learners_after(staged)))
        places = changing.placed(changing.catalog_elsewhere)
        enrolled_members = materialised(groups.enrolled_members(everyone, changing.enrolled.by_key, places))
        stored_rows = _stored_members(comparison, of_groups, members)
    held = with_kept(stored_rows, groups.MEMBER_KEY, group.members, untouched)
    comparison.stage(GROUP_ACTIVITY_USER_AGG, rows, held, F.lit(True))
    stored_groups = of_groups.stored.join(of_groups.affected, "group_id", how="left_semi")
    sums = differences.group_sums(
        rows,
        stored_groups.join(of_groups.recounted, "group_id", how="left_anti"),
        stored_rows.join(of_groups.recounted, "group_id", how="left_anti"),
    )
    computed = groups.group_rows(present, everyone, enrolled_members, sums)
    held = with_kept(stored_groups, groups.GROUP_ACTIVITY_KEY, group.activities, untouched)
    comparison.stage(GROUP_ACTIVITY_AGG, computed, held, F.lit(True))


def _stored_members(comparison: Comparison, of_groups: ConcernedGroups, members: DataFrame) -> DataFrame:
    """The stored rows of these members, and all of the groups that are recounted."""
    rows = comparison.stored.rows(GROUP_ACTIVITY_USER_AGG)
    wanted = members.withColumn("is_wanted", F.lit(True))
    recounted = of_groups.recounted.withColumn("is_recounted", F.lit(True))
    flagged = rows.join(wanted, list(groups.MEMBER_KEY), how="left").join(recounted, "group_id", how="left")
    return materialised(flagged.filter(F.coalesce("is_wanted", "is_recounted")).drop("is_wanted", "is_recounted"))
