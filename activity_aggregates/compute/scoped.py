"""What a scope or a file of changed enrolments names: pairs of learners, and whole contexts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates.compute.choice import PAIR, Choice
from activity_aggregates.compute.contexts import contexts_of, group_id, groups_of, is_of_group
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among, ids_in, without
from activity_aggregates.errors import BadRequest
from activity_aggregates.request.pairs import Pair
from activity_aggregates.request.scope import Scope
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    ENROLMENT_DATES,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
)
from activity_aggregates.store.records import FOUND
from activity_aggregates.store.targets import ACTIVITY_AGG, GROUP_ACTIVITY_AGG
from metrics.names import BATCH_CONTEXT, COURSE, COURSE_UNIT, ENROLMENT_IDS, QUIZ
from metrics.predicates import context_id
from metrics.quizzes import group_context
from metrics.refusals import any_blank


@dataclass(frozen=True)
class Scoped:
    """Turns what was named into a choice; raises BadRequest where it names nothing that is there."""

    inputs: Inputs

    def choice(self) -> Choice:
        asked = self.inputs.asked
        if asked.changed is not None:
            return self._of_named_pairs(asked.changed)
        if self._scope.groups:
            self._check_groups()
            return Choice(frozenset(), None, self._scope.groups, lambda _: self._no_enrolments())
        self._check_contexts()
        if self._scope.users:
            return self._of_learners()
        contexts = self._contexts() - asked.done_contexts
        return Choice(contexts, None, groups_of(contexts), self._scanned)

    @property
    def _scope(self) -> Scope:
        return self.inputs.asked.scope

    def _no_enrolments(self) -> DataFrame:
        return self.inputs.sources.frame(ENROLMENTS).limit(0)

    def _scanned(self, choice: Choice) -> DataFrame:
        """The enrolments of a choice, by a scan, unless they were found when its contexts were looked for."""
        were_found = choice.pairs is None and choice.whole is not None and choice.whole <= self._scope.contexts
        return choice.of_batches(self._of_contexts if were_found else self.inputs.sources.frame(ENROLMENTS))

    @cached_property
    def _of_contexts(self) -> DataFrame:
        """The enrolments of the contexts that the scope names."""
        named = Choice(self._scope.contexts, None, None, self._scanned)
        return self.inputs.results.keep(named.of_batches(self.inputs.sources.frame(ENROLMENTS)), "of_contexts")

    def _of_named_pairs(self, changed: Iterable[Pair]) -> Choice:
        named = sorted({(pair.user_id, pair.batch_id) for pair in changed})
        rows = self.inputs.spark.createDataFrame(named, "user_id string, batch_id string")
        pairs = rows.select("user_id", context_id().alias("context_id"))
        return self._of_pairs(rows.select("user_id").distinct(), self.inputs.results.keep(pairs, "pairs"), frozenset())

    def _of_learners(self) -> Choice:
        users = self.inputs.spark.createDataFrame([(user,) for user in sorted(self._scope.users)], "user_id string")
        enrolled = self.inputs.results.keep(self.inputs.matching(ENROLMENTS, users, ["user_id"]), "of_learners")
        memberships = self._memberships(users)
        found = enrolled.select("user_id")
        if memberships is not None:
            found = found.union(memberships.select("user_id"))
        self.inputs.counts[FOUND] = found.distinct().count()
        if not self.inputs.counts[FOUND]:
            # The sentence is kept in the ledger, which holds no learner's id.
            number = len(self._scope.users)
            named = f"none of the {number} learners" if number > 1 else "the one learner"
            has = "has" if number > 1 else "has not"
            raise BadRequest(f"{named} of the scope {has} an enrolment or a membership: correct the ids")
        if (window := self.inputs.asked.window) is not None:
            enrolled = enrolled.filter(happened(window.start, window.end))
        pairs = enrolled.filter(~any_blank("user_id", "batch_id")).select(
            "user_id", context_id().alias("context_id"), "course_id"
        )
        if self._scope.contexts:
            pairs = among(pairs, "context_id", self._scope.contexts)
        if self._scope.activities:
            pairs = among(pairs, "context_id", self._contexts_of_activities())
        pairs = without(pairs, "context_id", self.inputs.asked.done_contexts)
        kept = self.inputs.results.keep(pairs.select(*PAIR).distinct(), "pairs")
        return self._of_pairs(users, kept, _groups_of(memberships))

    def _of_pairs(self, users: DataFrame, pairs: DataFrame, groups: frozenset[str]) -> Choice:
        """Pairs of some users, whose enrolments are read by key; contexts that become whole need a scan besides."""

        def enrolments(choice: Choice) -> DataFrame:
            if choice.whole:
                return self._scanned(choice)
            return choice.of_batches(self.inputs.matching(ENROLMENTS, users, ["user_id"]))

        return Choice(frozenset(), pairs, groups, enrolments)

    def _memberships(self, users: DataFrame) -> DataFrame | None:
        """(group_id, user_id) of some learners, also of those who are enrolled in nothing; None without the source.

        By a join, for a list in a condition would show their ids wherever Spark shows a plan.
        """
        if not self.inputs.sources.has(GROUP_MEMBERS):
            return None
        rows = self.inputs.sources.frame(GROUP_MEMBERS).join(users, "user_id", how="left_semi")
        return self.inputs.results.keep(rows.select("group_id", "user_id"), "memberships")

    def _contexts(self) -> frozenset[str]:
        """The contexts that the scope names, by themselves or by their activities, and a window keeps."""
        contexts = self._scope.contexts
        if self._scope.activities:
            of_activities = self._contexts_of_activities()
            contexts = contexts & of_activities if contexts else of_activities
        window = self.inputs.asked.window
        is_named = bool(self._scope.contexts or self._scope.activities)
        if window is None or (is_named and not contexts):
            return contexts
        rows = self.inputs.sources.frame(ENROLMENT_DATES).filter(happened(window.start, window.end))
        named = rows.filter(~any_blank("batch_id")).select(context_id().alias("context_id"))
        if is_named:
            named = among(named, "context_id", contexts)
        return ids_in(named, "context_id")

    def _check_contexts(self) -> None:
        named = self._scope.contexts - self.inputs.asked.done_contexts  # which may have ended with its unit
        groups = groups_of(named)
        missing = {each for each in named if each.startswith(BATCH_CONTEXT)}
        if missing and (recorded := self.inputs.catalog(frozenset(missing))) is not None:
            missing -= ids_in(recorded, "context_id")
        if missing:  # of what the catalog has, no scan needs to know
            found = self._of_contexts.select(context_id().alias("context_id"))
            missing -= ids_in(found, "context_id")
        if unknown := sorted(missing | contexts_of(groups - self._known_groups(groups))):
            raise _nothing(f"context {unknown[0]}")

    def _contexts_of_activities(self) -> frozenset[str]:
        contexts: frozenset[str] = frozenset()
        for kind, name in sorted(self._scope.activities, key=str):
            found = self._contexts_of(kind, name)
            if not found and not self.inputs.asked.done_contexts:
                raise _nothing(f"activity {kind + ':' if kind else ''}{name}")
            contexts |= found
        return contexts

    def _contexts_of(self, kind: str | None, name: str) -> frozenset[str]:
        """The contexts that have, or by the catalog had, an activity: a course takes its own and what it has along."""
        found: list[DataFrame] = []
        enrolments = self._named_enrolments
        if kind in (None, COURSE):
            found.append(enrolments.filter(F.col("course_id") == name).select("context_id"))
        if (recorded := self.inputs.catalog()) is not None:
            is_it = F.col("activity_id") == name if kind is None else is_activity(kind, name)
            is_of_it = F.col("course_id") == name if kind in (None, COURSE) else F.lit(False)
            found.append(recorded.filter(is_it | is_of_it).select("context_id"))
        if kind in (None, QUIZ) and self.inputs.sources.has(ATTEMPTS):
            attempted = self.inputs.sources.frame(ATTEMPTS).filter(F.col("content_id") == name)
            placed = attempted.filter(~any_blank("batch_id")).select(*ENROLMENT_IDS)
            found.append(placed.select(context_id().alias("context_id")))
        if kind in (None, QUIZ):
            found += self._held_in_groups(name)
        if kind in (None, COURSE_UNIT):
            trees = self.inputs.sources.frame(HIERARCHIES).filter(F.col("hierarchy").contains(f'"{name}"'))
            found.append(enrolments.join(trees.select("course_id"), "course_id", how="left_semi").select("context_id"))
        return ids_in(reduce(DataFrame.union, found), "context_id")

    def _held_in_groups(self, quiz: str) -> list[DataFrame]:
        """(context_id) of the groups in which a quiz is, or by the stored rows was, held."""
        found: list[DataFrame] = []
        if self.inputs.sources.has(GROUP_ATTEMPTS):
            attempted = self.inputs.sources.frame(GROUP_ATTEMPTS).filter(F.col("content_id") == quiz)
            found.append(attempted.filter(~any_blank("group_id")).select(group_context().alias("context_id")))
        if (stored := self.inputs.stored_rows(ACTIVITY_AGG)) is not None:
            found.append(stored.filter(is_activity(QUIZ, quiz) & is_of_group()).select("context_id"))
        return found

    @cached_property
    def _named_enrolments(self) -> DataFrame:
        rows = self.inputs.sources.frame(ENROLMENTS).filter(~any_blank("course_id", "batch_id"))
        return rows.select("course_id", context_id().alias("context_id"))

    def _check_groups(self) -> None:
        if missing := sorted(self._scope.groups - self._known_groups(self._scope.groups)):
            raise _nothing(f"group {missing[0]}")

    def _known_groups(self, groups: Iterable[str]) -> frozenset[str]:
        """Those of some groups that are in the source, or of which rows are stored: their own, or of their quizzes."""
        named = frozenset(groups)
        if not named:
            return frozenset()
        found = among(self.inputs.sources.frame(GROUPS).select("group_id"), "group_id", named)
        if (stored := self.inputs.stored_rows(GROUP_ACTIVITY_AGG)) is not None:
            found = found.union(among(stored.select("group_id"), "group_id", named))
        if (stored := self.inputs.stored_rows(ACTIVITY_AGG)) is not None:
            of_quizzes = among(stored.select("context_id"), "context_id", contexts_of(named))
            found = found.union(of_quizzes.select(group_id()))
        return ids_in(found, "group_id")


def happened(start: object | None, end: object | None) -> Column:
    """Whether a learner enrolled, completed the course or last used it from `start` on and before `end`."""

    def is_within(instant: Column) -> Column:
        is_after = instant >= F.lit(start) if start is not None else F.lit(True)
        is_before = instant < F.lit(end) if end is not None else F.lit(True)
        return instant.isNotNull() & is_after & is_before

    return reduce(or_, (is_within(F.col(name)) for name in ("enrolled_on", "completed_on", "accessed_on")))


def _groups_of(memberships: DataFrame | None) -> frozenset[str]:
    if memberships is None:
        return frozenset()
    return ids_in(memberships, "group_id")


def is_activity(kind: str, name: str) -> Column:
    """Whether a row is of this activity."""
    return (F.col("activity_type") == kind) & (F.col("activity_id") == name)


def _nothing(named: str) -> BadRequest:
    """A flag has named it, or a backfill."""
    return BadRequest(
        f"the scope's {named} has nothing in the sources that it could be computed from, and no stored row: correct it"
    )
