"""What is to change: computed rows against the stored ones, table by table, staged below the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes import change_set as changes
from activity_aggregates.changes.row_scope import (
    is_activity_row_open,
    is_group_row_open,
    is_learner_row_open,
    is_sampled,
)
from activity_aggregates.changes.staging import RunDirectory, staged_rows
from activity_aggregates.errors import CheckFailed
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.computation import Aggregates, Counts, Enrolled
from activity_aggregates.run.description import Description
from activity_aggregates.run.steps import Steps
from activity_aggregates.sources.tables import GROUP_MEMBERS, GROUPS, Sources
from activity_aggregates.spark.kept import kept, materialised
from activity_aggregates.store.stored_rows import Stored
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_METADATA,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics import groups, names, refusals, unsettled
from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.enrolments import contexts_of_users
from metrics.ownership import IsOwn, is_own

_OF_GROUPS = (GROUP_ACTIVITY_USER_AGG, GROUP_ACTIVITY_AGG)


@dataclass(frozen=True)
class Comparison:
    """Compares and stages one run's rows; `counts` takes what is observed on the way.

    Of a `share` below 1 only a sample of the scope's rows is staged.
    """

    stored: Stored
    scope: Scope
    as_of_ms: int
    scores_in_course: bool
    directory: RunDirectory
    counts: Counts
    steps: Steps
    share: float = 1.0

    def stage(
        self,
        table: TargetTable,
        computed: DataFrame,
        stored: DataFrame,
        is_open: Column,
        members: DataFrame | None = None,
        owns: IsOwn | None = None,
        totals: Sequence[Column] = (),
    ) -> DataFrame:
        """Stage the changed rows of a table, and those of `members` (for the groups); returns what was staged.

        `stored` carries `is_unsettled`: such a row is not retracted. `totals` are counted along with the changes.
        """
        owns = owns or is_own(table.name, self.scores_in_course)
        is_open &= is_sampled(table.key, self.share)
        rows = changes.compare(computed, stored, table.key, owns, self.as_of_ms, is_open, ~F.col("is_unsettled"))
        is_member = F.lit(False)
        if members is not None:
            wanted = (
                members.select("activity_type", "activity_id", "user_id")
                .distinct()
                .withColumn("of_member", F.lit(True))
            )
            rows = rows.join(wanted, ["activity_type", "activity_id", "user_id"], how="left")
            is_member = F.coalesce("of_member", F.lit(False))
        with self.steps(f"compare {table.name}") as step:
            seen = Observation()
            staged = rows.observe(seen, *changes.change_counts(), *totals).select(
                *table.key, "to_set", "to_remove", "was", "kind",
                F.when(is_member, F.col("agg_after")).alias("agg_after"), changes.is_changed().alias("is_changed"),
            )  # fmt: skip
            path = self.directory.changes(table.name)
            staged.filter(F.col("is_changed") | F.col("agg_after").isNotNull()).write.parquet(path)
            self.counts.update({f"{name}.{table.name}": count for name, count in seen.get.items()})
            step.rows = self.counts[f"changed.{table.name}"]
        return staged_rows(rows.sparkSession, self.directory, table)

    @cached_property
    def catalog(self) -> DataFrame:
        """The catalog as last written, read once for all tables."""
        return kept(self.stored.catalog())

    def stage_activities(
        self, enrolled: Enrolled, computed: Aggregates, members: DataFrame | None, described: Description | None = None
    ) -> DataFrame:
        """Stage the rows of learners and activities, catalog and metadata; returns the staged rows of learners."""
        catalog = self.catalog
        course_id = F.coalesce("course_id", "catalog_course_id")
        learners = self._stored_activities(ACTIVITY_USER_AGG, enrolled, catalog)
        mine = self._contexts_of_users(enrolled, learners)
        rows = computed.learners.select(*ACTIVITY_USER_AGG.key, "course_id", "agg")
        staged = self.stage(ACTIVITY_USER_AGG, rows, learners, is_learner_row_open(self.scope, course_id), members)
        activities = self._stored_activities(ACTIVITY_AGG, enrolled, catalog)
        is_open = is_activity_row_open(self.scope, course_id, mine)
        self.stage(ACTIVITY_AGG, computed.activities, activities, is_open, totals=changes.course_totals())
        is_open = is_activity_row_open(self.scope, F.col("course_id"), mine)
        self.stage_catalog(computed.catalog, catalog, enrolled.unsettled, is_open)
        if described:
            placed = computed.catalog.withColumn("is_in_scope", is_open)
            self.stage_metadata(described.rows(placed, enrolled.outlines), described)
        return staged

    def stage_groups(self, enrolled: Enrolled, computed: Aggregates, group: Groups, learners: DataFrame) -> None:
        """Stage the rows of the groups, from the learners' rows as they will stand after the run."""
        if not self.counts["computed.group_activities"] and not self._are_groups_stored():
            self.counts.update({f"{name}.{table.name}": 0 for table in _OF_GROUPS for name in changes.COUNTED})
            return
        # Kept, because each is used by both tables: a plan that repeats them costs more than their rows do.
        with self.steps("compute groups"):
            untouched = kept(unsettled.unsettled_activities(enrolled.unsettled, self.catalog))
            activities = group.activities.join(untouched, ["activity_type", "activity_id"], how="left_anti")
            members = materialised(group.members.join(untouched, ["activity_type", "activity_id"], how="left_anti"))
            rows = materialised(groups.member_rows(members, learners_after(learners)))
            enrolled_members = materialised(groups.enrolled_members(members, enrolled.by_key, computed.catalog))
        is_open = is_group_row_open(self._scope_of_groups(computed))
        stored = with_kept(self.stored.rows(GROUP_ACTIVITY_USER_AGG), groups.MEMBER_KEY, group.members, untouched)
        self.stage(GROUP_ACTIVITY_USER_AGG, rows, stored, is_open)
        stored = with_kept(self.stored.rows(GROUP_ACTIVITY_AGG), groups.GROUP_ACTIVITY_KEY, group.activities, untouched)
        self.stage(
            GROUP_ACTIVITY_AGG,
            groups.group_rows(activities, members, enrolled_members, groups.member_sums(rows)),
            stored,
            is_open,
        )

    def _are_groups_stored(self) -> bool:
        return any(not self.stored.rows(table).isEmpty() for table in _OF_GROUPS)

    def _scope_of_groups(self, computed: Aggregates) -> Scope:
        """The scope, with the units and quizzes of its courses: their rows in groups follow those of the learners."""
        course_ids = [name for kind, name in self.scope.activities if kind in (None, names.COURSE)]
        if not course_ids:
            return self.scope
        columns = ["activity_type", "activity_id", "course_id"]
        placed = self.catalog.select(columns).union(computed.catalog.select(columns))
        below = placed.filter(F.col("course_id").isin(course_ids)).select(columns[:2]).distinct().collect()
        return replace(self.scope, activities=self.scope.activities | {(row[0], row[1]) for row in below})

    def check_retracted_share(
        self, tables: Sequence[TargetTable], limits: settings.Limits, sizes: Mapping[str, int] | None = None
    ) -> None:
        """Stop a run that would retract too much of a table: an emptied source must not empty the dashboards.

        `sizes` are the rows of each table where not all of them were compared.
        """
        for table in tables:
            retracted, size = self.counts[f"retracted.{table.name}"], self.counts[f"stored.{table.name}"]
            size = (sizes or {}).get(table.name, size)
            share = retracted / size if size else 0.0
            if retracted >= limits.retracted_floor and share > limits.retracted_share:
                raise CheckFailed(
                    f"the run would retract {retracted} of {size} rows of {table.name}, more than "
                    f"limits.retracted_share {limits.retracted_share:g} allows, so nothing was written: "
                    "check that the sources are complete, "
                    f"or allow it with --set limits.retracted_share={min(1.0, share + 0.005):.2f}"
                )

    def _stored_activities(self, table: TargetTable, enrolled: Enrolled, catalog: DataFrame) -> DataFrame:
        served = self.stored.rows(table).filter(names.is_served_row())
        rows = unsettled.with_unsettled(served, enrolled.unsettled, catalog)
        owner = F.col("course_id").alias("catalog_course_id")
        if not self.scope.activities:  # only a scope of activities asks for the course of a stored unit or quiz
            return rows.withColumn("catalog_course_id", F.lit(None).cast("string"))
        return rows.join(catalog.select(*ACTIVITY_IN_CONTEXT, owner), list(ACTIVITY_IN_CONTEXT), how="left")

    def _contexts_of_users(self, enrolled: Enrolled, stored: DataFrame) -> list[str]:
        """The contexts that the users of the scope are or were in: as many as the scope asks for."""
        if not self.scope.users:
            return []
        users = sorted(self.scope.users)
        were = stored.filter(F.col("user_id").isin(users)).select("context_id")
        return [row[0] for row in contexts_of_users(enrolled.by_key, users).union(were).distinct().collect()]

    def stage_metadata(self, rows: DataFrame, described: Description) -> None:
        """Stage `described.rows`, of the activities that are computed; what is stored of others stays as it is."""
        served = self.stored.metadata().filter(names.is_served_activity())
        stored = served.withColumn("is_unsettled", F.lit(True))
        self.stage(ACTIVITY_METADATA, rows, stored, F.col("is_in_scope"), owns=described.owns())
        self.counts.update(described.counts())

    def stage_catalog(
        self, computed: DataFrame, stored: DataFrame, unsettled_courses: DataFrame, is_open: Column
    ) -> None:
        """Stage (key…, course_id, held_course_id) of the catalog's changed rows; a course_id is null without a row."""
        key = list(ACTIVITY_IN_CONTEXT)
        held = unsettled.with_unsettled(stored, unsettled_courses, stored).withColumnRenamed(
            "course_id", "held_course_id"
        )
        wanted = computed.select(*key, F.col("course_id").alias("wanted_course_id"))
        is_gone = F.col("wanted_course_id").isNull() & ~F.coalesce("is_unsettled", F.lit(False))
        is_new = F.col("wanted_course_id").isNotNull() & ~F.col("wanted_course_id").eqNullSafe(F.col("held_course_id"))
        rows = wanted.join(held, key, how="full").withColumn(
            "course_id", F.coalesce("wanted_course_id", "held_course_id")
        )
        changed = rows.filter(is_open & is_sampled(key, self.share) & (is_gone | is_new)).select(
            *key, F.col("wanted_course_id").alias("course_id"), "held_course_id"
        )
        with self.steps(f"compare {ACTIVITY_CATALOG.name}") as step:
            seen = Observation()
            path = self.directory.changes(ACTIVITY_CATALOG.name)
            changed.observe(seen, F.count(F.lit(1)).alias("changed")).write.parquet(path)
            self.counts[f"changed.{ACTIVITY_CATALOG.name}"] = step.rows = seen.get["changed"]


def learners_after(staged: DataFrame) -> DataFrame:
    """(`LEARNER_KEY`, agg) of the learners' rows as they will stand, from what is staged of them."""
    standing = staged.filter(F.size("agg_after") > 0)
    return standing.select(*ACTIVITY_USER_AGG.key, F.col("agg_after").alias("agg"))


def with_kept(stored: DataFrame, key: Sequence[str], present: DataFrame, untouched: DataFrame) -> DataFrame:
    """Stored group rows of served types; those of `untouched` activities stay while they belong to `present`."""
    stays = present.join(untouched, ["activity_type", "activity_id"], how="left_semi").select(*key).distinct()
    served = stored.filter(names.is_served_activity())
    joined = served.join(stays.withColumn("is_kept", F.lit(True)), list(key), how="left")
    return joined.withColumn("is_unsettled", F.coalesce("is_kept", F.lit(False))).drop("is_kept")


@dataclass(frozen=True)
class Groups:
    """The activities of active groups, and the members of each."""

    activities: DataFrame
    members: DataFrame
    refused: dict[str, DataFrame]


def read_groups(sources: Sources, counts: Counts, steps: Steps, affected: DataFrame | None = None) -> Groups:
    """Groups and members, assessed and counted; all of them, or those of (group_id)."""
    with steps("read groups") as step:
        listed = groups.assess_group_activities(sources.frame(GROUPS))
        belonging = groups.assess_members(sources.frame(GROUP_MEMBERS))
        of_groups, of_members = Observation(), Observation()
        counted = refusals.refusal_counts(refusals.MISSING_KEY)
        observed = listed.observe(of_groups, *counted, groups.unserved_activities())
        listed_activities = groups.group_activities(refusals.accepted(observed))
        if affected is not None:
            listed_activities = listed_activities.join(affected, "group_id", how="left_semi")
        activities = materialised(listed_activities)
        members = refusals.accepted(belonging.observe(of_members, *counted))
        by_activity = materialised(groups.members_by_activity(activities, members))
        counts["computed.group_activities"] = activities.count()
        counts["computed.group_members"] = step.rows = by_activity.count()
        for name, seen in (("groups", of_groups), ("group_members", of_members)):
            counts[f"read.{name}"] = seen.get["read"]
            counts[f"refused.{name}.{refusals.MISSING_KEY}"] = seen.get[refusals.MISSING_KEY]
        counts["counted.unserved_group_activities"] = of_groups.get["unserved"]
    refused = {
        "groups": refusals.refused(listed, *groups.GROUP_ACTIVITY_KEY),
        "group_members": refusals.refused(belonging, "group_id", "user_id"),
    }
    return Groups(activities, by_activity, refused)
