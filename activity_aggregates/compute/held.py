"""Reads the attempts at quizzes that are held inside groups."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.contexts import groups_of
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among
from activity_aggregates.sources.erased_rows import without_erased
from activity_aggregates.sources.tables import GROUP_ATTEMPTS, GROUP_MEMBERS, GROUPS
from metrics import groups, quizzes, refusals
from metrics.names import ACTIVE
from metrics.quizzes import held_quizzes

NAME = GROUP_ATTEMPTS.name


def read_held(inputs: Inputs, choice: Choice) -> tuple[DataFrame | None, dict[str, DataFrame]]:
    """`quizzes.held_quizzes` of the groups whose contexts are looked at, and the refused attempts; None without any."""
    ids = None
    if choice.whole is not None:
        ids = groups_of(choice.whole)
    if (rows := _read(inputs, ids)) is None:
        return None, {}
    with inputs.steps(f"read {NAME}") as step:
        assessed, seen = quizzes.assess_group_attempts(rows.attempts), Observation()
        counted = refusals.refusal_counts(*refusals.ATTEMPT_REASONS)
        observed = assessed.observe(seen, *counted, quizzes.open_attempts())
        held = inputs.results.keep(rows.held(observed), NAME)
        counts = dict(seen.get)
        inputs.counts[f"read.{NAME}"] = step.rows = counts.pop("read")
        inputs.counts[f"counted.open_{NAME}"] = counts.pop("open_attempts")
        inputs.counts.update({f"refused.{NAME}.{reason}": number for reason, number in counts.items()})
    return held, {NAME: refusals.refused(assessed, *quizzes.GROUP_ATTEMPT_KEY)}


def held_in(inputs: Inputs, group_ids: frozenset[str] | None) -> DataFrame | None:
    """`quizzes.held_quizzes` of some groups, or of all, that are not looked at: what they refuse is not counted."""
    rows = _read(inputs, group_ids)
    return None if rows is None else rows.held(quizzes.assess_group_attempts(rows.attempts))


@dataclass(frozen=True)
class _Rows:
    """The rows of the sources: attempts inside groups, the groups and their members."""

    attempts: DataFrame
    listed: DataFrame
    belonging: DataFrame

    def held(self, assessed: DataFrame) -> DataFrame:
        """`quizzes.held_quizzes` of these attempts, assessed."""
        best = quizzes.best_group_attempts(refusals.accepted(assessed))
        active = self.listed.filter(F.col("status") == ACTIVE).select("group_id").distinct()
        accepted = refusals.accepted(groups.assess_members(self.belonging))
        members = accepted.groupBy("group_id", "user_id").agg(
            F.bool_or(F.coalesce(F.col("status") == ACTIVE, F.lit(False))).alias("is_active")
        )
        return held_quizzes(best, active, members)


def _read(inputs: Inputs, group_ids: frozenset[str] | None) -> _Rows | None:
    """Of some groups, or of all; None where there is nothing."""
    tables = (GROUP_ATTEMPTS, GROUPS, GROUP_MEMBERS)
    if (group_ids is not None and not group_ids) or not all(inputs.has_rows(table) for table in tables):
        return None
    frames = [inputs.sources.frame(table) for table in tables]
    if group_ids is not None:
        frames = [among(rows, "group_id", group_ids) for rows in frames]
    attempts, listed, belonging = frames
    # An erased learner may have come in since the run began. Looking for the ids first would leave another gap.
    erased = inputs.execution.erased
    return _Rows(without_erased(attempts, erased), listed, without_erased(belonging, erased))
