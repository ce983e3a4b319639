"""Reads the attempts at quizzes that are held inside groups."""

from __future__ import annotations

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.work import Work
from activity_aggregates.sources.erased_rows import without_erased
from activity_aggregates.sources.tables import GROUP_ATTEMPTS, GROUP_MEMBERS, GROUPS
from metrics import groups, quizzes, refusals
from metrics.names import GROUP_CONTEXT
from metrics.quizzes import held_quizzes

NAME = GROUP_ATTEMPTS.name


def read_held(inputs: Inputs, work: Work) -> tuple[DataFrame | None, dict[str, DataFrame]]:
    """`held.held_quizzes` of the groups whose contexts are looked at, and the refused attempts; None without any."""
    sources = inputs.sources
    if not all(inputs.has_rows(table) for table in (GROUP_ATTEMPTS, GROUPS, GROUP_MEMBERS)):
        return None, {}
    attempts, listed, belonging = (sources.frame(table) for table in (GROUP_ATTEMPTS, GROUPS, GROUP_MEMBERS))
    if work.whole is not None:
        ids = frozenset(each.removeprefix(GROUP_CONTEXT) for each in work.whole if each.startswith(GROUP_CONTEXT))
        if not ids:
            return None, {}
        attempts, listed, belonging = (inputs.among(rows, "group_id", ids) for rows in (attempts, listed, belonging))
    # An erased learner may have come in since the run began. Looking for the ids first would leave another gap.
    attempts, belonging = (without_erased(rows, inputs.execution.erased) for rows in (attempts, belonging))
    with inputs.steps(f"read {NAME}") as step:
        assessed, seen = quizzes.assess_group_attempts(attempts), Observation()
        counted = refusals.refusal_counts(*refusals.ATTEMPT_REASONS)
        observed = assessed.observe(seen, *counted, quizzes.open_attempts())
        best = quizzes.best_group_attempts(refusals.accepted(observed))
        active = listed.filter(F.col("status") == groups.ACTIVE).select("group_id").distinct()
        accepted = refusals.accepted(groups.assess_members(belonging))
        members = accepted.groupBy("group_id", "user_id").agg(
            F.bool_or(F.coalesce(F.col("status") == groups.ACTIVE, F.lit(False))).alias("is_active")
        )
        held = inputs.results.keep(held_quizzes(best, active, members), NAME)
        counts = dict(seen.get)
        inputs.counts[f"read.{NAME}"] = step.rows = counts.pop("read")
        inputs.counts[f"counted.open_{NAME}"] = counts.pop("open_attempts")
        inputs.counts.update({f"refused.{NAME}.{reason}": rows for reason, rows in counts.items()})
    return held, {NAME: refusals.refused(assessed, *quizzes.GROUP_ATTEMPT_KEY)}
