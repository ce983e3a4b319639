"""The rows of learners: computed from one pass over progress, compared with what is stored, and kept."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import change_counts, compare, in_record
from activity_aggregates.changes.parts import LEARNER_ROWS
from activity_aggregates.changes.staging import stage_rows
from activity_aggregates.compute.choice import PAIR, Choice
from activity_aggregates.compute.held import read_held
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among, flagged, ids_in, without
from activity_aggregates.compute.lookups import looking_up
from activity_aggregates.compute.reading import Placed, Refused, count_rows
from activity_aggregates.sources.tables import PROGRESS, TIMESPENT, SourceTable
from activity_aggregates.store.records import VERIFY
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG
from metrics import catalog, learners, progress, quizzes, refusals, timespent
from metrics.catalog import ACTIVITY_IN_CONTEXT, IS_WHOLE
from metrics.enrolments import DETAILS
from metrics.learners import CARRIED
from metrics.names import COURSE, ENROLMENT_IDS, WAS
from metrics.predicates import context_id, is_course, is_quiz
from metrics.trees import courses
from metrics.values import stands


@dataclass(frozen=True)
class ComparedLearners:
    """The pairs at hand as they were `placed`, their compared rows, see `compare`, and the refused progress.

    `held` are the quizzes held inside groups, see `held.held_quizzes`; None without any. `ended` are contexts, not
    looked at whole, in which a learner's course or quiz has ended: it may have been the last.
    """

    placed: Placed
    rows: DataFrame
    refused: Refused
    ended: frozenset[str]
    held: DataFrame | None


def compare_learners(inputs: Inputs, choice: Choice, placed: Placed) -> ComparedLearners:
    """Compute, compare and stage the learners' rows; all of them are kept, for sums and groups rest on them."""
    names = inputs.names(ACTIVITY_USER_AGG)
    held, refused_held = read_held(inputs, choice)
    with inputs.steps("read activity_user_agg"):
        stored = _stored(inputs, choice, placed, held)
    with inputs.steps("read progress") as step:
        seen, matched, counted, compared = Observation(), Observation(), Observation(), Observation()
        contents = progress.assess_progress(_of_enrolments(inputs, choice, placed, PROGRESS))
        observed = contents.observe(seen, *refusals.refusal_counts(*refusals.PROGRESS_REASONS))
        words = progress.progress_words(refusals.accepted(observed), courses.numbered_leaves(placed.outlines))
        by_key = placed.by_key
        if inputs.choices.completion != "sticky":
            by_key = by_key.withColumn("is_earned", F.lit(False))
        by_key = by_key.observe(counted, F.count(F.lit(1)).alias("enrolments"))
        by_key, spent = _with_timespent(inputs, choice, placed, by_key)
        with_words = progress.with_progress(by_key, words).observe(matched, *progress.matched_progress_counts())
        details = [name for name in (*DETAILS, TIMESPENT.name) if name in names]
        by_collection = progress.progress_by_collection(with_words, courses.collection_masks(placed.outlines), details)
        scores = placed.scores
        computed = learners.learner_rows(
            catalog.owned(by_collection, placed.strangers),
            None if scores is None else catalog.owned(scores, placed.strangers),
            None if scores is None else quizzes.scores_by_enrolment(scores),
            inputs.metrics(ACTIVITY_USER_AGG),
            held,
            has_entries=inputs.choices.scores_in_course,
        )
        carried = {CARRIED + name: "double" for name in inputs.execution.selection.carry}
        rows = compare(ACTIVITY_USER_AGG, names, computed.drop("course_id"), stored, F.col("is_kept"), carried)
        counts = change_counts(ACTIVITY_USER_AGG, names)
        rows = stage_rows(inputs.sampled(rows).observe(compared, *counts), inputs.directory, LEARNER_ROWS)
        step.rows = count_rows(inputs, "progress", refusals.PROGRESS_REASONS, seen, matched, orphans="orphan_progress")
        if spent is not None:
            count_rows(inputs, TIMESPENT.name, refusals.TIMESPENT_REASONS, *spent.seen, orphans="orphan_timespent")
        inputs.counts["computed.enrolments"] = counted.get["enrolments"]
        inputs.counts.update(in_record(compared.get))
    refused = refused_held | {"progress": refusals.refused(contents, *ENROLMENT_IDS, "content_id")}
    if spent is not None:
        refused |= {TIMESPENT.name: refusals.refused(spent.assessed, *ENROLMENT_IDS)}
    return ComparedLearners(placed, rows, refused, _ended(inputs, choice, placed, rows), held)


@dataclass(frozen=True)
class _Spent:
    """Rows of time spent, assessed, and what is observed of all of them and of those that belong to an enrolment."""

    assessed: DataFrame
    seen: tuple[Observation, Observation]


def _with_timespent(
    inputs: Inputs, choice: Choice, placed: Placed, by_key: DataFrame
) -> tuple[DataFrame, _Spent | None]:
    """The enrolments with the seconds that their learners have spent, where that is computed."""
    if TIMESPENT.name not in inputs.names(ACTIVITY_USER_AGG):
        return by_key, None
    seen, matched = Observation(), Observation()
    assessed = timespent.assess_timespent(_of_enrolments(inputs, choice, placed, TIMESPENT))
    observed = assessed.observe(seen, *refusals.refusal_counts(*refusals.TIMESPENT_REASONS))
    seconds = timespent.seconds_by_enrolment(refusals.accepted(observed))
    joined = timespent.with_timespent(by_key, seconds).observe(matched, *timespent.matched_timespent_counts())
    return joined, _Spent(assessed, (seen, matched))


def _ended(inputs: Inputs, choice: Choice, placed: Placed, rows: DataFrame) -> frozenset[str]:
    """The contexts of courses and quizzes that a learner had a row of, and has no enrolment or attempt in any more.

    And those of who was named and has an enrolment that is not active: by nothing that is stored of them could it be
    told that something has ended.
    """
    if choice.is_everything or choice.pairs is None:
        return frozenset()
    found = _with_retracted(inputs, choice, placed, rows) | _of_the_inactive(inputs, choice.pairs, placed)
    return found - (choice.whole or frozenset())


def _of_the_inactive(inputs: Inputs, named: DataFrame, placed: Placed) -> frozenset[str]:
    if inputs.asked.since is not None or inputs.asked.erasing:  # what has changed, or whoever goes, is known
        return frozenset()
    inactive = placed.by_key.filter(~F.col("is_enrolled") & ~F.col("is_retired"))
    left = inactive.select("user_id", context_id().alias("context_id"))
    found = named.join(left, list(PAIR), how="left_semi")
    return ids_in(found, "context_id")


def _with_retracted(inputs: Inputs, choice: Choice, placed: Placed, rows: DataFrame) -> frozenset[str]:
    if not inputs.counts[f"retracted.{ACTIVITY_USER_AGG.name}"]:
        return frozenset()
    names = inputs.names(ACTIVITY_USER_AGG)
    gone = choice.with_whole(rows.filter(~stands(names) & stands([WAS + name for name in names])))
    here = placed.by_key.select(
        F.lit(COURSE).alias("activity_type"), F.col("course_id").alias("activity_id"), "user_id",
        context_id().alias("context_id"),
    )  # fmt: skip
    if placed.scores is not None:
        # Not those of a course that does not own the quiz: its owner's last attempt may be the one that has gone.
        owned = catalog.owned(placed.scores, placed.strangers)
        here = here.unionByName(owned.select(*learners.LEARNER_KEY))
    of_parts = gone.filter((is_course() | is_quiz()) & ~F.col(IS_WHOLE))
    ended = of_parts.join(here, list(learners.LEARNER_KEY), how="left_anti")
    return ids_in(ended, "context_id")


def _of_enrolments(inputs: Inputs, choice: Choice, placed: Placed, table: SourceTable) -> DataFrame:
    """All rows of a source of learners, or those of the enrolments at hand."""
    if choice.is_everything:
        rows = inputs.sources.frame(table)
        # Of an incremental run that turned to everything nobody has looked through progress for who was erased.
        return inputs.without_erased(rows) if table == PROGRESS and inputs.asked.since is not None else rows
    return inputs.matching(table, placed.by_key.select(*ENROLMENT_IDS), ENROLMENT_IDS)


def _stored(inputs: Inputs, choice: Choice, placed: Placed, held: DataFrame | None) -> DataFrame | None:
    """The stored rows of the pairs at hand, with `is_kept`: of an unsettled course, they stay as they are."""
    if (everything := inputs.stored_rows(ACTIVITY_USER_AGG)) is None:
        return None
    rows = everything if choice.is_everything else _stored_of(inputs, choice, placed, held, everything)
    kept = with_kept(rows, placed)
    if not inputs.asked.erasing or not placed.unsettled or choice.pairs is None:
        return kept
    erased = choice.pairs.withColumn("is_erased", F.lit(True))  # of whom nothing is kept
    flagged = kept.join(erased, list(PAIR), how="left")
    return flagged.withColumn("is_kept", F.col("is_kept") & F.col("is_erased").isNull()).drop("is_erased")


def with_kept(rows: DataFrame, placed: Placed, are_counted: bool = False) -> DataFrame:
    """Stored rows with `is_kept`: those of unsettled courses, and of the units and quizzes that these own, stay.

    Where `are_counted`, because an erase counts anew what they own by the catalog, only what is not in it stays.
    """
    if not placed.unsettled:
        return rows.withColumn("is_kept", F.lit(False))
    blocked = placed.owners.filter("is_blocked").select(*ACTIVITY_IN_CONTEXT, F.lit(True).alias("is_blocked"))
    joined = rows.join(blocked, list(ACTIVITY_IN_CONTEXT), how="left")
    named = flagged(joined, "activity_id", placed.unsettled, "is_unsettled")
    is_blocked, is_unsettled = F.coalesce("is_blocked", F.lit(False)), is_course() & F.col("is_unsettled")
    is_kept = is_unsettled & ~is_blocked if are_counted else is_unsettled | is_blocked
    return named.withColumn("is_kept", is_kept).drop("is_blocked", "is_unsettled")


def _stored_of(
    inputs: Inputs, choice: Choice, placed: Placed, held: DataFrame | None, everything: DataFrame
) -> DataFrame:
    """By keys of what the pairs have or may have had, where that is cheaper than a scan."""
    table = ACTIVITY_USER_AGG.name
    if not inputs.can_look_up or not inputs.lookups.may_be_cheaper(table):
        return choice.of(everything)
    pairs = placed.by_key.select("user_id", context_id().alias("context_id"))
    if choice.pairs is not None:
        pairs = pairs.union(choice.pairs.select(*PAIR))
    here = placed.owners.select(*ACTIVITY_IN_CONTEXT)
    keys = pairs.distinct().join(here, "context_id", how="inner").select(*ACTIVITY_USER_AGG.partition_key)
    if held is not None:  # no course owns what is held in a group, and no enrolment leads there
        keys = keys.union(held.select(*ACTIVITY_USER_AGG.partition_key))
    keys = inputs.results.keep(keys.distinct(), "learner_keys")
    if not inputs.lookups.are_cheaper(table, keys):
        return choice.of(everything)
    with inputs.steps(looking_up(ACTIVITY_USER_AGG.name)):
        found = inputs.stored.matching(
            ACTIVITY_USER_AGG, inputs.names(ACTIVITY_USER_AGG), keys, ACTIVITY_USER_AGG.partition_key
        )
        rows = inputs.results.keep(choice.of(found), ACTIVITY_USER_AGG.name)
    more = _contexts_with_more(inputs, choice, rows)
    if not more:
        return rows
    inputs.steps.say(f"{len(more):,} contexts may have stored rows of learners who are in no source: reads all of them")
    return without(rows, "context_id", more).unionByName(among(everything, "context_id", more))


def _contexts_with_more(inputs: Inputs, choice: Choice, rows: DataFrame) -> frozenset[str]:
    """The whole contexts of which more learners of a course or a quiz are published than were found.

    And those of which what is published may be wrong: all, where no base says that it is right, or where that is what
    a verification asks.
    """
    whole, published = choice.whole or frozenset(), inputs.stored_rows(ACTIVITY_AGG)
    if inputs.asked.base is None or inputs.execution.record.command == VERIFY or published is None:
        return whole
    doubted = whole & choice.doubted
    trusted = whole - doubted
    if not trusted:
        return doubted
    is_standing = stands([WAS + name for name in inputs.names(ACTIVITY_USER_AGG)])
    standing = rows.filter(is_standing & (is_course() | is_quiz()))
    found = standing.groupBy(*ACTIVITY_IN_CONTEXT).agg(F.count(F.lit(1)).alias("found"))
    # Each counted learner has one row; contexts of groups have no Course, so their quizzes tell it.
    learners_counted = F.when(is_course(), F.col(f"{WAS}enrolledCount")).otherwise(F.col(f"{WAS}startedCount"))
    counts = among(published.filter(is_course() | is_quiz()), "context_id", trusted).select(
        *ACTIVITY_IN_CONTEXT, learners_counted.alias("published")
    )
    both = counts.join(among(found, "context_id", trusted), list(ACTIVITY_IN_CONTEXT), how="full")
    is_more = F.coalesce("published", F.lit(float("inf"))) > F.coalesce("found", F.lit(0))
    return doubted | ids_in(both.filter(is_more), "context_id")
