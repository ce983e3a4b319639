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
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    PROGRESS,
    Sources,
)
from activity_aggregates.store.targets import ACTIVITY_USER_AGG
from metrics import activities, catalog, courses, enrolments, groups, learners, progress, quizzes, refusals
from metrics.declarations import Metric, declared, names


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
        rows = self._learners(by_key, outlines, scores, strangers)
        group_rows, member_rows = self._groups(rows, owners)
        return Computed(rows, self._activities(rows, owners), owners, group_rows, member_rows)

    def _learners(self, by_key: DataFrame, outlines: DataFrame, scores: DataFrame, strangers: DataFrame) -> DataFrame:
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
        ).drop("course_id")

    def _activities(self, rows: DataFrame, owners: DataFrame) -> DataFrame:
        own = names("activity_user_agg", self.families)
        compared = compare(ACTIVITY_USER_AGG, own, rows, None, F.lit(False))
        learners_rows = activities.signed(compared, own, None)
        computed = activities.activity_rows(owners, learners_rows, None, self._metrics("activity_agg"), F.lit(True))
        return computed.drop("is_impossible")

    def _groups(self, rows: DataFrame, owners: DataFrame) -> tuple[DataFrame, DataFrame]:
        listed = groups.group_activities(refusals.accepted(groups.assess_group_activities(self.sources.frame(GROUPS))))
        belonging = refusals.accepted(groups.assess_members(self.sources.frame(GROUP_MEMBERS)))
        members = groups.members_by_activity(listed, belonging)
        own = names("activity_user_agg", self.families)
        member_rows = groups.member_rows(members, rows, own)
        enrolled = groups.enrolled_members(members, groups.course_rows(listed, owners), rows)
        return (
            groups.group_rows(listed, members, enrolled, member_rows, self._metrics("group_activity_agg")),
            member_rows,
        )

    def _metrics(self, table: str) -> Sequence[Metric]:
        return declared(table, self.families)
