"""What every run does between being asked and having its changes staged: choose, read, compute, compare."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import SparkSession

from activity_aggregates.changes.change_set import COUNTED
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.choosing import DATED, choose
from activity_aggregates.compute.comparison import compare_others
from activity_aggregates.compute.description import Description, description
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.learners import ComparedLearners, compare_learners
from activity_aggregates.compute.limits import check_changes, check_refused_share
from activity_aggregates.compute.lookups import lookups
from activity_aggregates.compute.reading import place
from activity_aggregates.compute.rows import known_rows
from activity_aggregates.errors import CheckFailed
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.run.applying import UNDATED, stored_rows_of
from activity_aggregates.run.refused import keep_refused
from activity_aggregates.sources.tables import BATCHES, PROGRESS, Sources, despite_dates
from activity_aggregates.spark.results import Results
from activity_aggregates.spark.sizing import FEW_ROWS, set_size
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.targets import TARGET_TABLES

_LOOKED_BACK = 20  # runs, for what lookups have cost
_ATTEMPTS = 4


def stage(execution: Execution, spark: SparkSession, asked: Asked) -> None:
    """Compute what was asked for, compare it with what is stored and stage the changes.

    Raises CheckFailed where a limit is passed, BadRequest for a scope that names nothing; nothing is written by then.
    """
    inputs = open_inputs(execution, spark, asked)
    despite_dates(inputs.sources, lambda sources: _stage(replace(inputs, sources=sources)))


def _stage(inputs: Inputs) -> None:
    """With sources of which every date can be read."""
    execution, chosen = inputs.execution, inputs.execution.settings
    described = description(chosen.metadata, chosen.metrics.time_zone, has_batches=inputs.sources.has(BATCHES))
    choice = choose(inputs)
    for _ in range(_ATTEMPTS):
        execution.lease.check()
        choice, learners = _learners(inputs, choice, described)
        if learners is not None and learners.ended:
            inputs.steps.say(f"{len(learners.ended):,} contexts are looked at whole: something in them has ended")
            choice = choice.and_whole(learners.ended)
            continue
        execution.lease.check()
        others = compare_others(inputs, choice, learners, described)
        if not others.impossible or inputs.only_compares:
            break
        inputs.counts["healed"] = inputs.counts.get("healed", 0) + len(others.impossible)
        inputs.steps.say(f"{len(others.impossible):,} contexts have counts that cannot be right: they are counted anew")
        choice = choice.and_doubted(others.impossible)
    else:
        raise CheckFailed("counts of contexts that were looked at whole cannot be right either: run without a scope")
    _complete_counts(inputs, choice)
    if learners is not None and learners.placed.touched is not None:
        inputs.counts["concerned.contexts"] = len(learners.placed.touched)
        inputs.counts["concerned.learners"] = inputs.counts["computed.enrolments"]
    keep_refused(execution, others.refused | (learners.refused if learners else {}))
    check_changes(inputs.counts, inputs.limits, inputs.asked.sizes)


def open_inputs(execution: Execution, spark: SparkSession, asked: Asked) -> Inputs:
    """The sources and stored rows of a run, opened; nothing is read yet."""
    chosen, options = execution.settings, spark_options(execution.connection)
    results = Results(RunDirectory(execution.record.staging_dir).work)
    reads_by_learner = asked.since is not None
    rows = known_rows(execution, asked)
    set_size(spark, rows)
    are_few = rows is not None and rows <= FEW_ROWS
    with execution.steps("open sources"):
        sources = Sources(
            spark, chosen.sources, options, execution.erased, not_looked_through=[PROGRESS] if reads_by_learner else [],
            connection=execution.connection, keep=results.keep, are_few=are_few,
        )  # fmt: skip
    for name, columns in sources.absent_columns.items():
        execution.steps.say(f"{name} has no {', '.join(columns)}: what rests on them is left out")
    stored = stored_rows_of(execution, spark, are_few=are_few)
    if reads_by_learner:
        sources.check_dated(DATED)
    if execution.erased.hashes:
        with execution.steps("find erased learners") as step:
            found = sources.erased_users
            step.rows = execution.counts["counted.erased_learners"] = found.count() if found is not None else 0
    known = lookups(
        asked.last_full, asked.sizes, execution.ledger.recent(_LOOKED_BACK), execution.steps, execution.counts
    )
    return Inputs(execution, spark, sources, stored, results, known, asked)


def _learners(inputs: Inputs, choice: Choice, described: Description) -> tuple[Choice, ComparedLearners | None]:
    """The choice as it has become, and the learners' rows, compared; none where only groups are looked at.

    Raises CheckFailed where too many enrolments are refused, which are in quarantine by then.
    """
    if choice.is_nothing:
        return choice, None
    choice, placed = place(inputs, choice, described.fields)
    keep_refused(inputs.execution, placed.refused)
    last_full = inputs.asked.last_full
    counted_before = last_full.counts.get("read.enrolments", 0) if last_full is not None else 0
    are_kept = not inputs.execution.is_dry
    check_refused_share(inputs.counts, inputs.limits, counted_before, inputs.steps, are_kept=are_kept)
    return choice, compare_learners(inputs, choice, placed)


def _complete_counts(inputs: Inputs, choice: Choice) -> None:
    """Every count of every table, and, of a run that looked at everything, how many rows there will be."""
    for table in TARGET_TABLES:
        counts = {name: inputs.counts.setdefault(f"{name}.{table.name}", 0) for name in COUNTED}
        if choice.is_everything:
            after = counts["stored"] + counts["added"] - counts["retracted"]
            inputs.counts[f"after.{table.name}"] = after
    inputs.counts[UNDATED] = sum(inputs.counts.pop(f"{UNDATED}.{table.name}") for table in TARGET_TABLES)
