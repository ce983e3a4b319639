"""Reads enrolments, course trees and attempts, and finds who owns which activity, before any progress is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among, ids_in, without
from activity_aggregates.sources.changed_at import is_changed_since
from activity_aggregates.sources.tables import ATTEMPTS, ENROLMENTS, HIERARCHIES
from activity_aggregates.store.targets import ACTIVITY_AGG
from metrics import catalog, enrolments, quizzes, refusals
from metrics.catalog import IS_WHOLE
from metrics.keys import ENROLMENT_KEY, enrolment_key
from metrics.names import ENROLMENT_IDS, WAS
from metrics.predicates import context_id, is_quiz
from metrics.refusals import any_blank
from metrics.trees import courses
from metrics.trees.courses import CHANGED_AT
from metrics.trees.metadata import Entries

Refused = dict[str, DataFrame]
_NO_COURSE = ""  # beside a context of which no enrolment is at hand


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What was read of the enrolments at hand, and who owns the activities of their contexts.

    `by_key` are the accepted enrolments, each once. `touched` are the contexts, None for all. `strangers` is None where
    nothing is shared, `scores` where there are no attempts. `changed` are the courses whose trees may have changed.
    `has_new` tells whether a context has an activity that the catalog has not, `has_new_quizzes` whether it is a quiz.
    """

    by_key: DataFrame
    outlines: DataFrame
    scores: DataFrame | None
    owners: DataFrame
    strangers: DataFrame | None
    unsettled: frozenset[str]
    changed: frozenset[str]
    touched: frozenset[str] | None
    has_new: bool
    has_new_quizzes: bool
    refused: Refused


def standing_catalog(inputs: Inputs, placed: Placed | None) -> DataFrame | None:
    """(context_id, activity_type, activity_id, course_id) of all contexts as it will stand; None where it is empty.

    `placed` is None where no pair is at hand.
    """
    if placed is None:
        return inputs.catalog()
    columns = [*catalog.ACTIVITY_IN_CONTEXT, "course_id"]
    here = placed.owners.filter(F.col("course_id").isNotNull()).select(columns)
    if placed.touched is None or (elsewhere := inputs.catalog()) is None:
        return here
    return here.unionByName(without(elsewhere.select(columns), "context_id", placed.touched))


def place(inputs: Inputs, choice: Choice, described: Entries) -> tuple[Choice, Placed]:
    """Read until no further context has to be looked at whole: the choice as it has become, and what was found.

    `described` are the texts that are kept of the nodes of trees.
    """
    while True:
        placed, further = _Placing(inputs, choice, described).place()
        if placed is not None:
            return choice, placed
        inputs.steps.say(f"{len(further):,} contexts are looked at whole: a course or an owner in them has changed")
        choice = choice.and_whole(further)


@dataclass(frozen=True)
class _Owners:
    """`catalog.owners` and `catalog.strangers` of the contexts at hand, and the contexts where an owner has `moved`.

    And how many activities and quizzes are new in the catalog, and how many enrolments at hand are inactive.
    """

    owners: DataFrame
    strangers: DataFrame | None
    moved: frozenset[str]
    new: int
    new_quizzes: int
    inactive: int


@dataclass(frozen=True)
class _Placing:
    """One attempt with one choice."""

    inputs: Inputs
    choice: Choice
    described: Entries

    def place(self) -> tuple[Placed | None, frozenset[str]]:
        """What was found; or None and the contexts that have to be looked at whole too."""
        inputs, choice = self.inputs, self.choice
        with inputs.steps("read enrolments"):
            raw = inputs.without_erased(inputs.results.keep(choice.enrolments(choice), "enrolments"))
            at_hand = self._courses_in_contexts(raw)
            outlines, has_facts = self._outlines(raw, at_hand)
            unsettled, changed = self._facts(raw, outlines) if has_facts else (frozenset[str](), frozenset[str]())
            contexts = frozenset(context for course, context in at_hand if course in changed)
            if further := contexts - (choice.whole or frozenset()):
                return None, further
            assessed = enrolments.assess_enrolments(raw, courses.known(outlines))
            by_key = enrolments.enrolments_by_key(refusals.accepted(assessed))
        with inputs.steps("read attempts") as attempts_step:
            scores, attempts = self._scores(by_key)
            attempts_step.rows = inputs.counts.get("read.attempts", 0)
        with inputs.steps("find owners") as owners_step:
            touched = None if choice.whole is None else frozenset(context for _, context in at_hand) | choice.whole
            found = self._owners(assessed, outlines, scores, unsettled, touched)
            owners_step.rows = inputs.counts["read.enrolments"]
        ended = self._contexts_with_ended(by_key, scores, attempts, found)
        if further := found.moved | self._contexts_with_refused(assessed, unsettled) | ended:
            return None, further
        refused = {"enrolments": refusals.refused(assessed, *ENROLMENT_IDS)}
        if attempts is not None:
            refused["attempts"] = refusals.refused(attempts, *quizzes.ATTEMPT_KEY)
        return (
            Placed(
                by_key=by_key,
                outlines=outlines,
                scores=scores,
                owners=found.owners,
                strangers=found.strangers,
                unsettled=unsettled,
                changed=changed,
                touched=touched,
                has_new=bool(found.new),
                has_new_quizzes=bool(found.new_quizzes),
                refused=refused,
            ),
            frozenset(),
        )

    def _courses_in_contexts(self, raw: DataFrame) -> frozenset[tuple[str, str]]:
        """(course_id, context_id) of all that is at hand: in the sources and, of whole contexts, in the catalog.

        Of everything it is not asked, for nothing has to be looked up.
        """
        if self.choice.is_everything:
            return frozenset()
        named = raw.filter(~any_blank("course_id", "batch_id"))
        found = named.select("course_id", context_id().alias("context_id"))
        if self.choice.whole and (recorded := self.inputs.catalog(self.choice.whole)) is not None:
            found = found.union(recorded.select("course_id", "context_id"))
        if self.choice.pairs is not None:
            found = found.union(self.choice.pairs.select(F.lit(_NO_COURSE), "context_id"))
        return frozenset((row[0], row[1]) for row in found.distinct().collect())

    def _outlines(self, raw: DataFrame, at_hand: frozenset[tuple[str, str]]) -> tuple[DataFrame, bool]:
        """The outlines of the courses at hand, with `changed_at` of their trees where little is looked at.

        And whether any of these courses is unsettled, or may have changed: otherwise nothing needs to be asked.
        """
        sources = self.inputs.sources
        if self.choice.is_everything:
            trees = sources.frame(HIERARCHIES).join(raw.select("course_id").distinct(), "course_id", how="left_semi")
        else:
            course_ids = {course for course, _ in at_hand} - {_NO_COURSE}
            dated = sources.dated(HIERARCHIES) if self._tells_changes() else sources.frame(HIERARCHIES)
            trees = among(dated, "course_id", course_ids)
        outlines = courses.outlines(trees.filter(~courses.is_draft()), self.described)
        seen = Observation()
        kept = self.inputs.results.keep(outlines.observe(seen, *self._odd(outlines)), "outlines")
        wanted = {course for course, _ in at_hand} - {_NO_COURSE}
        return kept, bool(seen.get["odd"]) or self.choice.is_everything or seen.get["found"] != len(wanted)

    def _odd(self, outlines: DataFrame) -> list[Column]:
        """Aggregates to be observed: the courses, and those that are unsettled or may have changed."""
        is_odd = F.col("problem").isNotNull() | F.col("is_retired") | self._is_changed(outlines)
        return [F.count(F.lit(1)).alias("found"), F.count_if(is_odd).alias("odd")]

    def _is_changed(self, outlines: DataFrame) -> Column:
        """Whether a tree may have changed since the base; where nothing moves by differences it does not matter."""
        if self.choice.is_everything or self.choice.pairs is None:
            return F.lit(False)
        base = self.inputs.asked.base
        if base is None or CHANGED_AT not in outlines.columns:
            return F.lit(True)
        return is_changed_since(base.watermark)

    def _tells_changes(self) -> bool:
        return self.inputs.asked.base is not None and self.inputs.tells_changes(HIERARCHIES)

    def _facts(self, raw: DataFrame, outlines: DataFrame) -> tuple[frozenset[str], frozenset[str]]:
        """The courses that are unsettled, and those whose trees may have changed since the base."""
        known, is_changed = courses.known(outlines), self._is_changed(outlines)
        is_unsettled = F.col("problem").isNotNull() | F.coalesce("is_retired", F.lit(True))
        named = _named_courses(raw).withColumn("is_named", F.lit(True))
        facts = named.join(known, "course_id", how="full").select(
            "course_id", "is_named", is_unsettled.alias("is_unsettled"), is_changed.alias("is_changed")
        )
        found = facts.filter("is_unsettled OR is_changed").collect()
        unsettled = frozenset(row.course_id for row in found if row.is_unsettled)
        of_catalog = frozenset(row.course_id for row in found if row.is_unsettled and not row.is_named)
        changed = frozenset(row.course_id for row in found if row.is_changed)
        return unsettled - self._without_enrolments(of_catalog), changed

    def _without_enrolments(self, course_ids: frozenset[str]) -> frozenset[str]:
        """The courses that nobody at all is enrolled in any more: whatever their trees are, their rows have ended."""
        if not course_ids:
            return frozenset()
        rows = among(self.inputs.sources.frame(ENROLMENTS), "course_id", course_ids)
        return course_ids - {row[0] for row in _named_courses(rows).collect()}

    def _contexts_with_refused(self, assessed: DataFrame, unsettled: frozenset[str]) -> frozenset[str]:
        """The contexts, not whole yet, in which an enrolment at hand is not accepted, though its course is settled.

        It may have been the last one that its course had there.
        """
        counts, choice = self.inputs.counts, self.choice
        refused = any(counts.get(f"refused.{reason}") for reason in refusals.ENROLMENT_REASONS)
        if choice.is_everything or choice.pairs is None or not refused:
            return frozenset()
        is_refused = F.col("problem").isNotNull() & ~any_blank(*ENROLMENT_IDS)
        rows = without(assessed.filter(is_refused), "course_id", unsettled).select(context_id().alias("context_id"))
        return ids_in(rows, "context_id") - (choice.whole or frozenset())

    def _contexts_with_ended(
        self, by_key: DataFrame, scores: DataFrame | None, attempts: DataFrame | None, found: _Owners
    ) -> frozenset[str]:
        """The contexts, not whole yet, in which an attempt of somebody who has left may have been a quiz's last.

        It was opened anew, or is refused now, or its enrolment is gone, and the course of the learner owns the quiz
        although nobody who is enrolled there has a row of it. Of such a learner no row is stored that could tell that
        something has ended.
        """
        inputs, choice = self.inputs, self.choice
        if choice.is_everything or choice.pairs is None or scores is None or attempts is None:
            return frozenset()
        names = ("counted.open_attempts", *(f"refused.attempts.{reason}" for reason in refusals.ATTEMPT_REASONS))
        columns = ("user_id", "course_id", context_id().alias("context_id"))
        of_nobody: list[DataFrame] = []
        if found.inactive and any(inputs.counts.get(name) for name in names):
            of_nobody.append(by_key.filter(~F.col("is_enrolled") & ~F.col("is_retired")).select(*columns))
        if inputs.counts["counted.orphan_attempts"]:
            keyed = refusals.accepted(attempts).select("*", *enrolment_key())
            of_nobody.append(keyed.join(by_key, list(ENROLMENT_KEY), how="left_anti").select(*columns).distinct())
        if not of_nobody or (published := inputs.stored_rows(ACTIVITY_AGG)) is None:
            return frozenset()
        left = reduce(DataFrame.union, of_nobody)
        theirs = (
            choice.with_whole(found.owners)
            .filter(is_quiz() & ~F.col("is_blocked") & ~F.col(IS_WHOLE))
            .select(*catalog.ACTIVITY_IN_CONTEXT, F.col("recorded_course_id").alias("course_id"))
        )
        idle = published.filter(F.col(f"{WAS}startedCount") == 0).select(*catalog.ACTIVITY_IN_CONTEXT)
        lacking = (
            left.join(theirs, ["context_id", "course_id"], how="inner")
            .join(idle, list(catalog.ACTIVITY_IN_CONTEXT), how="left_semi")
            .join(scores, [*catalog.ACTIVITY_IN_CONTEXT, "course_id", "user_id"], how="left_anti")
        )
        return ids_in(lacking, "context_id")

    def _scores(self, by_key: DataFrame) -> tuple[DataFrame | None, DataFrame | None]:
        """`quizzes.quiz_scores` of the enrolments at hand, and all of their attempts, assessed."""
        inputs = self.inputs
        if not inputs.has_rows(ATTEMPTS):
            return None, None
        raw = self.choice.of_batches(inputs.sources.frame(ATTEMPTS))
        attempts = quizzes.assess_attempts(raw)
        seen, matched = Observation(), Observation()
        observed = attempts.observe(seen, *refusals.refusal_counts(*refusals.ATTEMPT_REASONS), quizzes.open_attempts())
        best = quizzes.best_attempts(refusals.accepted(observed))
        scored = quizzes.quiz_scores(by_key, best).observe(matched, *quizzes.matched_attempt_counts())
        scores = inputs.results.keep(scored, "scores")
        count_rows(inputs, "attempts", refusals.ATTEMPT_REASONS, seen, matched, orphans="orphan_attempts")
        return scores, attempts

    def _owners(
        self,
        assessed: DataFrame,
        outlines: DataFrame,
        scores: DataFrame | None,
        unsettled: frozenset[str],
        touched: frozenset[str] | None,
    ) -> _Owners:
        inputs, seen, shared = self.inputs, Observation(), Observation()
        recorded = inputs.catalog(touched)
        settled = courses.course_activities(courses.settled(outlines))

        def placements(rows: DataFrame) -> DataFrame:
            return catalog.placements(enrolments.contexts(refusals.accepted(rows)), settled, scores)

        counted = [
            *refusals.refusal_counts(*refusals.ENROLMENT_REASONS), enrolments.retired_rows(), enrolments.inactive_rows()
        ]  # fmt: skip
        owned = catalog.owners(
            placements(assessed.observe(seen, *counted)), recorded, self._unsettled(unsettled), self.choice.with_whole
        )
        owners = inputs.results.keep(owned.observe(shared, *catalog.owner_counts()), "owners")
        counts = dict(seen.get)
        inputs.counts["counted.retired"], inactive = counts.pop("retired"), counts.pop("inactive")
        inputs.counts["read.enrolments"] = counts.pop("read")
        inputs.counts.update({f"refused.{reason}": rows for reason, rows in counts.items()})
        inputs.counts["counted.shared_context"] = shared.get["shared"]
        moved = frozenset[str]()
        if shared.get["moved"]:
            moved = ids_in(owners.filter("is_moved"), "context_id")
        strangers = None
        if shared.get["foreign"] and not moved:
            strangers = inputs.results.keep(catalog.strangers(placements(assessed), owners), "strangers")
        return _Owners(owners, strangers, moved, shared.get["new"], shared.get["new_quizzes"], inactive)

    def _unsettled(self, course_ids: frozenset[str]) -> DataFrame | None:
        rows = [(course_id,) for course_id in sorted(course_ids)]
        return self.inputs.spark.createDataFrame(rows, "course_id string") if rows else None


def _named_courses(rows: DataFrame) -> DataFrame:
    """(course_id) of the courses of enrolments, each once."""
    return rows.filter(~any_blank("course_id", "batch_id")).select("course_id").distinct()


def count_rows(
    inputs: Inputs, source: str, reasons: tuple[str, ...], seen: Observation, matched: Observation, orphans: str
) -> int:
    """Take over what was observed; what was accepted and belongs to no enrolment row are the orphans."""
    counts, found, placed = inputs.counts, seen.get, dict(matched.get)
    counts[f"read.{source}"] = read = found["read"]
    refused = {f"refused.{source}.{reason}": found[reason] for reason in reasons}
    counts.update(refused)
    further = {f"counted.{name}": found[name] for name in found if name not in ("read", *reasons)}
    counts.update(further)
    counts[f"counted.{orphans}"] = read - sum(refused.values()) - sum(further.values()) - placed.pop("matched")
    counts.update({f"counted.{name}": rows for name, rows in placed.items()})
    return int(read)
