"""What is to change besides the learners' own rows: activities, catalog, metadata and groups, in one comparison."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import change_counts, compare, in_record, plain_texts
from activity_aggregates.changes.parts import OTHER_ROWS
from activity_aggregates.changes.staging import stage_rows
from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.description import Description, compare_metadata
from activity_aggregates.compute.groups import compare_groups
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.learners import ComparedLearners, with_kept
from activity_aggregates.compute.listed import among, ids_in
from activity_aggregates.compute.reading import Placed, Refused
from activity_aggregates.sources.tables import BATCHES
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_DAY_AGG,
    ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics.activities import activity_rows, signed
from metrics.catalog import ACTIVITY_IN_CONTEXT, IS_WHOLE
from metrics.days import day_rows
from metrics.names import COURSE
from metrics.quizzes import held_activities
from metrics.trees import courses

ByTable = dict[TargetTable, DataFrame]
_IMPOSSIBLE = "is_impossible"


@dataclass(frozen=True)
class ComparedOthers:
    """`impossible` are contexts, not looked at whole, whose counts cannot be right."""

    impossible: frozenset[str]
    refused: Refused


def compare_others(
    inputs: Inputs, choice: Choice, learners: ComparedLearners | None, described: Description
) -> ComparedOthers:
    """Compare and stage everything that follows from the rows of `learners`, None where no pair is at hand."""
    parts: ByTable = {}
    if learners is not None:
        parts |= _activities(inputs, choice, learners)
    placed = None if learners is None else learners.placed
    of_metadata, batches = compare_metadata(inputs, choice, placed, described)
    parts |= of_metadata
    groups = compare_groups(inputs, choice, learners)
    parts |= groups.rows
    if not parts:
        return ComparedOthers(frozenset(), groups.refused)
    with inputs.steps("compare activities and groups") as step:
        together = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts.values())
        united = inputs.sampled(inputs.in_tasks(together))
        seen, counted = Observation(), Observation()
        counts = [count for table in parts for count in change_counts(table, inputs.names(table))]
        observed = united.observe(seen, *counts).observe(counted, *_totals(united))
        rows = stage_rows(observed, inputs.directory, OTHER_ROWS)
        found = in_record(seen.get)
        inputs.counts.update(found)
        step.rows = sum(count for name, count in found.items() if name.startswith("compared."))
        totals = counted.get
        if batches is not None:
            inputs.counts[f"read.{BATCHES.name}"] = batches.get["read"]
            inputs.counts["counted.batches_without_course"] = batches.get["keyless"]
        if choice.is_everything:
            inputs.counts.update(
                {f"{name}.{ACTIVITY_AGG.name}": int(totals[name]) for name in ("enrolled", "completed")}
            )
    impossible = frozenset[str]()
    if totals["impossible"]:
        impossible = ids_in(rows.filter(_IMPOSSIBLE), "context_id")
    return ComparedOthers(impossible, groups.refused)


def _activities(inputs: Inputs, choice: Choice, learners: ComparedLearners) -> ByTable:
    """The compared rows of activity_agg, activity_day_agg and activity_catalog."""
    placed = learners.placed
    stored = _at_touched(inputs, placed, ACTIVITY_AGG)
    owners, members = _at_hand(inputs, choice, placed), None
    if learners.held is not None:
        held = held_activities(learners.held)
        members = held.select("context_id", "members").distinct()
        # They belong to no course, and all of their contexts' learners are at hand.
        quizzes = held.select(*ACTIVITY_IN_CONTEXT, F.lit("").alias("course_id"))
        owners = owners.unionByName(quizzes, allowMissingColumns=True)
    owners = choice.with_whole(owners)
    rows = learners.rows if choice.is_everything else choice.with_whole(learners.rows)
    rows = signed(rows, inputs.names(ACTIVITY_USER_AGG))
    published = None
    # What an unsettled course requires is known by its stored rows alone, of which an erase computes the others anew.
    if not choice.is_everything or inputs.asked.erasing:  # a table without rows is one whose rows are missing
        published = stored or inputs.no_rows(ACTIVITY_AGG)
    computed = activity_rows(owners, rows, published, inputs.metrics(ACTIVITY_AGG), members)
    parts = {
        ACTIVITY_AGG: _compared(inputs, choice, placed, ACTIVITY_AGG, computed, stored),
        ACTIVITY_CATALOG: plain_texts(ACTIVITY_CATALOG, placed.owners, "course_id", "recorded_course_id"),
    }
    if days := inputs.metrics(ACTIVITY_DAY_AGG):
        of_days = _at_touched(inputs, placed, ACTIVITY_DAY_AGG)
        both = None if published is None else (of_days or inputs.no_rows(ACTIVITY_DAY_AGG), published)
        counted = day_rows(owners, rows, both, days, inputs.choices.time_zone)
        parts[ACTIVITY_DAY_AGG] = _compared(inputs, choice, placed, ACTIVITY_DAY_AGG, counted, of_days)
    return parts


def _at_touched(inputs: Inputs, placed: Placed, table: TargetTable) -> DataFrame | None:
    """The stored rows of the contexts at hand; None where the table is empty."""
    stored = inputs.stored_rows(table)
    if stored is None or placed.touched is None:
        return stored
    return among(stored, "context_id", placed.touched)


def _compared(
    inputs: Inputs, choice: Choice, placed: Placed, table: TargetTable, computed: DataFrame, stored: DataFrame | None
) -> DataFrame:
    """Rows of activities or days against the stored ones, of which those stay that nobody has looked at whole."""
    if inputs.only_compares:  # without all learners of a context, a sum that is wrong cannot be told from its rows
        computed = computed.filter(~F.col(_IMPOSSIBLE))
    kept = None if stored is None else choice.with_whole(with_kept(stored, placed, bool(inputs.asked.erasing)))
    stays = F.col("is_kept") | ~F.col(IS_WHOLE)
    return compare(table, inputs.names(table), computed, kept, stays, {_IMPOSSIBLE: "boolean"})


def _at_hand(inputs: Inputs, choice: Choice, placed: Placed) -> DataFrame:
    """The owned activities that are computed: of a context that is not whole, those of the courses at hand.

    What an unsettled course owns is not, but an erase counts it anew from its stored rows.
    """
    if inputs.asked.erasing:
        return placed.owners
    owners = placed.owners.filter(~F.col("is_blocked"))
    if choice.is_everything:
        return owners
    known = courses.settled(placed.outlines).select("course_id", F.lit(True).alias("is_known"))
    joined = choice.with_whole(owners.join(F.broadcast(known), "course_id", how="left"))
    return joined.filter(F.coalesce("is_known", F.lit(False)) | F.col(IS_WHOLE)).drop("is_known", IS_WHOLE)


def _totals(rows: DataFrame) -> list[Column]:
    """Aggregates to be observed: enrolments in all courses, how many are completed, and rows that cannot be right."""

    def total(metric: str) -> Column:
        if metric not in rows.columns or "context_id" not in rows.columns:
            return F.lit(0)
        is_course = (F.col("table") == ACTIVITY_AGG.name) & (F.col("activity_type") == COURSE)
        return F.coalesce(F.sum(F.when(is_course, F.col(metric))), F.lit(0)).cast("long")

    is_impossible = F.col(_IMPOSSIBLE) if _IMPOSSIBLE in rows.columns else F.lit(False)
    return [
        total("enrolledCount").alias("enrolled"), total("completedCount").alias("completed"),
        F.count_if(F.coalesce(is_impossible, F.lit(False))).alias("impossible"),
    ]  # fmt: skip
