"""The whole computation of `metrics` over a source, as a run over everything calls it, without any store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import compare
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    PROGRESS,
    Sources,
)
from activity_aggregates.store.targets import ACTIVITY_USER_AGG
from metrics import activities, catalog, courses, enrolments, groups, learners, progress, quizzes, refusals
from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.declarations import Metric, declared, names
from metrics.held import held_activities, held_quizzes


@dataclass(frozen=True)
class Computed:
    """The rows of each table: key…, metrics…, and `entries` where it has any."""

    learners: DataFrame
    activities: DataFrame
    catalog: DataFrame
    groups: DataFrame
    members: DataFrame


@dataclass(frozen=True)
class Computation:
    """Of the sources, with the choices that the definitions leave."""

    sources: Sources
    families: tuple[str, ...]
    sticky: bool
    scores_in_course: bool
    course_types: tuple[str, ...]

    def rows(self) -> Computed:
        outlines = courses.outlines(self.sources.frame(HIERARCHIES).filter(~courses.is_draft()))
        assessed = enrolments.assess_enrolments(self.sources.frame(ENROLMENTS), courses.known(outlines))
        by_key = enrolments.enrolments_by_key(refusals.accepted(assessed))
        attempts = refusals.accepted(quizzes.assess_attempts(self.sources.frame(ATTEMPTS)))
        scores = quizzes.quiz_scores(by_key, quizzes.best_attempts(attempts))
        placements = catalog.placements(
            enrolments.contexts(refusals.accepted(assessed)),
            courses.course_activities(courses.settled(outlines)),
            scores,
        )
        owners = catalog.owners(placements, None, None, F.lit(True))
        strangers = catalog.strangers(placements, owners)
        held = self._held()
        rows = self._learners(by_key, outlines, scores, strangers, held)
        group_rows, member_rows = self._groups(rows, owners, held)
        return Computed(rows, self._activities(rows, owners, held), owners, group_rows, member_rows)

    def _held(self) -> DataFrame:
        assessed = quizzes.assess_group_attempts(self.sources.frame(GROUP_ATTEMPTS))
        active = self.sources.frame(GROUPS).filter(F.col("status") == groups.ACTIVE).select("group_id").distinct()
        belonging = refusals.accepted(groups.assess_members(self.sources.frame(GROUP_MEMBERS)))
        is_active = F.bool_or(F.coalesce(F.col("status") == groups.ACTIVE, F.lit(False))).alias("is_active")
        members = belonging.groupBy("group_id", "user_id").agg(is_active)
        return held_quizzes(quizzes.best_group_attempts(refusals.accepted(assessed)), active, members)

    def _learners(
        self, by_key: DataFrame, outlines: DataFrame, scores: DataFrame, strangers: DataFrame, held: DataFrame
    ) -> DataFrame:
        contents = refusals.accepted(progress.assess_progress(self.sources.frame(PROGRESS)))
        words = progress.progress_words(contents, courses.numbered_leaves(outlines))
        earned = by_key if self.sticky else by_key.withColumn("is_earned", F.lit(False))
        by_collection = progress.progress_by_collection(
            progress.with_progress(earned, words), courses.collection_masks(outlines)
        )
        return learners.learner_rows(
            catalog.owned(by_collection, strangers),
            catalog.owned(scores, strangers),
            quizzes.scores_by_enrolment(scores) if self.scores_in_course else None,
            self._metrics("activity_user_agg"),
            held,
        ).drop("course_id")

    def _activities(self, rows: DataFrame, owners: DataFrame, held: DataFrame) -> DataFrame:
        own = names("activity_user_agg", self.families)
        signed = activities.signed(compare(ACTIVITY_USER_AGG, own, rows, None, F.lit(False)), own, None)
        in_groups = held_activities(held)
        owned = owners.unionByName(
            in_groups.select(*ACTIVITY_IN_CONTEXT, F.lit("").alias("course_id")), allowMissingColumns=True
        )
        members = in_groups.select("context_id", "members").distinct()
        metrics = self._metrics("activity_agg")
        return activities.activity_rows(owned, signed, None, metrics, F.lit(True), members).drop("is_impossible")

    def _groups(self, rows: DataFrame, owners: DataFrame, held: DataFrame) -> tuple[DataFrame, DataFrame]:
        assessed = groups.assess_group_activities(self.sources.frame(GROUPS))
        listed = groups.group_activities(refusals.accepted(assessed), self.course_types)
        belonging = refusals.accepted(groups.assess_members(self.sources.frame(GROUP_MEMBERS)))
        members = groups.members_by_activity(listed, belonging)
        member_rows = groups.member_rows(members, rows, names("activity_user_agg", self.families))
        enrolled = groups.enrolled_members(members, groups.course_rows(listed, owners), rows)
        in_groups = held.select("group_id", "activity_id").distinct()
        metrics = self._metrics("group_activity_agg")
        return groups.group_rows(listed, members, enrolled, member_rows, metrics, in_groups), member_rows

    def _metrics(self, table: str) -> Sequence[Metric]:
        return declared(table, self.families)
