"""What a run looks at: everything, what has changed, what a scope or a file names, or learners to be erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.compute.choice import PAIR, Choice
from activity_aggregates.compute.contexts import contexts_of, group_id, groups_of, is_of_group
from activity_aggregates.compute.held import held_in
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.listed import among, flagged, ids_in
from activity_aggregates.compute.scoped import Scoped
from activity_aggregates.sources.changed_at import is_changed_since
from activity_aggregates.sources.erased_rows import erased_rows
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    BATCHES,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    TIMESPENT,
    SourceTable,
)
from activity_aggregates.store.records import FOUND
from activity_aggregates.store.targets import ACTIVITY_AGG, ACTIVITY_USER_AGG, GROUP_ACTIVITY_AGG
from metrics import enrolments, groups, refusals
from metrics.catalog import IS_WHOLE
from metrics.names import WAS
from metrics.predicates import context_id
from metrics.quizzes import group_context, held_activities
from metrics.refusals import any_blank
from metrics.trees.courses import CHANGED_AT

# Progress is read of the learners that these name, so nothing needs to say when it was changed.
DATED = (ENROLMENTS, ATTEMPTS, HIERARCHIES, BATCHES, GROUPS, GROUP_MEMBERS, GROUP_ATTEMPTS, TIMESPENT)
CHANGED_PAIRS = "looked_at.changed_pairs"  # a count
_NEAR_EVERYTHING = 0.5  # of the enrolments: above it, to read all is cheaper than to choose
_COURSE, _BATCH, _GROUP, _PAIRS = "course", "batch", "group", "pairs"


def choose(inputs: Inputs) -> Choice:
    """From what was asked. Raises BadRequest for a scope that names nothing that is there."""
    asked = inputs.asked
    with inputs.steps("choose"):
        if asked.erasing:
            choice = _of_erased(inputs)
        elif asked.since is not None:
            choice = _since(inputs, asked.since)
        elif asked.is_everything:
            choice = everything(inputs)
        else:
            choice = _with_base(inputs, Scoped(inputs).choice())
    choice = _with_half_written(inputs, choice) if asked.half_written else _with_held(inputs, choice)
    # No row says whose groups they were that a unit which is done took rows from; what was held there is not looked at.
    return replace(choice, groups=None) if asked.done_contexts else choice


def _with_half_written(inputs: Inputs, choice: Choice) -> Choice:
    """With the contexts that dead runs left half-written.

    Such a run may have taken the rows that said in whose groups its learners were, so all groups are looked at.
    """
    choice = _with_held(inputs, replace(choice.and_doubted(inputs.asked.half_written), groups=None))
    return choice.and_doubted(contexts_of(groups_of(choice.whole or ())))


def _with_held(inputs: Inputs, choice: Choice) -> Choice:
    """With the contexts of the groups that are looked at, where quizzes are held inside groups."""
    if choice.is_everything or not inputs.sources.has(GROUP_ATTEMPTS):
        return choice
    if choice.groups is not None:
        return choice.and_whole(contexts_of(choice.groups) - inputs.asked.done_contexts)
    attempted = inputs.sources.frame(GROUP_ATTEMPTS).select(group_context().alias("context_id"))
    if (stored := inputs.stored_rows(ACTIVITY_AGG)) is not None:
        attempted = attempted.union(stored.filter(is_of_group()).select("context_id"))
    return choice.and_whole(ids_in(attempted, "context_id"))


def everything(inputs: Inputs) -> Choice:
    """All contexts, pairs and groups."""
    return Choice(None, None, None, lambda _: inputs.sources.frame(ENROLMENTS))


def _with_base(inputs: Inputs, choice: Choice) -> Choice:
    """Without a base no difference is exact: the contexts of all pairs are looked at whole."""
    if inputs.asked.base is not None or choice.pairs is None:
        return choice
    contexts = ids_in(choice.pairs, "context_id")
    return choice.and_whole(contexts)


def _since(inputs: Inputs, since: datetime) -> Choice:
    """The pairs whose sources changed since an instant; everything where that is nearly everything."""
    sources, asked = inputs.sources, inputs.asked
    counted, total_rows, paired = F.count(F.lit(1)).alias("rows"), Observation(), Observation()
    enrolments = inputs.results.keep(sources.dated(ENROLMENTS).observe(total_rows, counted), "dated")
    pairs = inputs.results.keep(_changed_pairs(inputs, enrolments, since).observe(paired, counted), _PAIRS)
    changed = _changed_ids(inputs, since)
    looked_at, total = paired.get["rows"], total_rows.get["rows"]
    inputs.counts[CHANGED_PAIRS] = looked_at
    contexts = asked.half_written
    if changed[_COURSE]:
        contexts |= _contexts_of(inputs, enrolments, changed[_COURSE])

    def of(choice: Choice) -> DataFrame:
        rows = choice.of_batches(enrolments)
        if not choice.is_everything:
            rows = rows.unionByName(_not_looked_at(choice, enrolments.filter(is_changed_since(since))))
        return rows.drop(CHANGED_AT)

    # Where nothing has changed, nothing is planned for it; a described course needs to be found among what is read.
    at_hand = pairs if looked_at or changed[_BATCH] else None
    choice = Choice(contexts, at_hand, changed[_GROUP], of, redescribed=changed[_BATCH])
    if contexts and not looked_at > _NEAR_EVERYTHING * total:
        looked_at = choice.of_batches(enrolments).count()
    if total and looked_at > _NEAR_EVERYTHING * total:
        inputs.steps.say(f"{looked_at:,} of {total:,} enrolments are to be looked at, so all are: that is cheaper")
        choice = replace(choice, whole=None, pairs=None, groups=None)
    return choice


def pairs_of(rows: DataFrame) -> DataFrame:
    """The distinct pairs of rows with (user_id, batch_id)."""
    named = rows.filter(~any_blank("user_id", "batch_id"))
    return named.select("user_id", context_id().alias("context_id")).distinct()


def _not_looked_at(choice: Choice, changed: DataFrame) -> DataFrame:
    """Changed enrolments that are among a choice neither by their pair nor by their whole context."""
    rows = flagged(changed.withColumn("context_id", context_id()), "context_id", choice.whole or (), IS_WHOLE)
    return rows.filter(any_blank("user_id", "batch_id") & ~F.col(IS_WHOLE)).drop("context_id", IS_WHOLE)


def _may_have_changed(since: datetime) -> Column:
    """Of attempts: what is set to null has no write time, so one without a score may just have lost it."""
    return is_changed_since(since) | F.col("total_score").isNull()


def _changed_pairs(inputs: Inputs, enrolments: DataFrame, since: datetime) -> DataFrame:
    changed = enrolments.filter(is_changed_since(since)).select("user_id", "batch_id")
    if inputs.sources.has(ATTEMPTS):
        attempts = inputs.sources.dated(ATTEMPTS).filter(_may_have_changed(since))
        changed = changed.union(attempts.select("user_id", "batch_id"))
    is_spent = inputs.sources.has(TIMESPENT) and TIMESPENT.name in inputs.names(ACTIVITY_USER_AGG)
    if is_spent and not inputs.sources.tells_nothing_of_changes(TIMESPENT):
        spent = inputs.sources.dated(TIMESPENT).filter(is_changed_since(since))
        changed = changed.union(spent.select("user_id", "batch_id"))
    return pairs_of(changed)


def _changed_ids(inputs: Inputs, since: datetime) -> dict[str, frozenset[str]]:
    """Ids of changed courses, of courses with changed batches, and of changed groups; none of them is a learner's."""
    sources = inputs.sources

    def ids(table: SourceTable, column: str, kind: str) -> DataFrame:
        is_changed = _may_have_changed if table == GROUP_ATTEMPTS else is_changed_since
        rows = sources.dated(table).filter(is_changed(since))
        return rows.select(F.lit(kind).alias("kind"), F.col(column).alias("id"))

    found = ids(HIERARCHIES, "course_id", _COURSE)
    if sources.has(BATCHES):
        found = found.union(ids(BATCHES, "course_id", _BATCH))
    if sources.has(GROUPS) and sources.has(GROUP_MEMBERS):
        found = found.union(ids(GROUPS, "group_id", _GROUP)).union(ids(GROUP_MEMBERS, "group_id", _GROUP))
        if sources.has(GROUP_ATTEMPTS):
            found = found.union(ids(GROUP_ATTEMPTS, "group_id", _GROUP))
        found = found.union(differing_groups(inputs).select(F.lit(_GROUP), "group_id"))
    by_kind: dict[str, set[str]] = {_COURSE: set(), _BATCH: set(), _GROUP: set()}
    for kind, name in inputs.in_tasks(found.na.drop()).distinct().collect():
        by_kind[kind].add(name)
    by_kind[_COURSE] = {name for name in by_kind[_COURSE] if not name.endswith(".img")}
    return {kind: frozenset(names) for kind, names in by_kind.items()}


def differing_groups(inputs: Inputs) -> DataFrame:
    """(group_id) whose activities or number of members are not those of its stored rows; not distinct.

    A list of activities has no write time of its own, and who is deleted has none either.
    """
    sources = inputs.sources
    accepted = refusals.accepted(groups.assess_group_activities(sources.frame(GROUPS)))
    listed = groups.group_activities(accepted, inputs.choices.course_types)
    members = groups.active_members(refusals.accepted(groups.assess_members(sources.frame(GROUP_MEMBERS))))
    key = list(groups.GROUP_ACTIVITY_KEY)
    sizes = members.groupBy("group_id").agg(F.count(F.lit(1)).alias("members"))
    present = listed.join(sizes, "group_id", how="left").select(
        *key, F.coalesce("members", F.lit(0)).cast("double").alias("present")
    )
    differing = present.select("group_id")
    if (stored := inputs.stored_rows(GROUP_ACTIVITY_AGG)) is not None:
        before = stored.select(*key, F.col(f"{WAS}memberCount").alias("before"))
        both = present.join(before, key, how="full")
        differing = both.filter(~F.col("present").eqNullSafe(F.col("before"))).select("group_id")
    held = _differing_quizzes(inputs)
    return differing if held is None else differing.union(held)


def _differing_quizzes(inputs: Inputs) -> DataFrame | None:
    """(group_id) in which other quizzes are held, or by another number of members, than its published rows say."""
    published = inputs.stored_rows(ACTIVITY_AGG)
    if published is None or not inputs.sources.has(GROUP_ATTEMPTS):
        return None
    key = ["context_id", "activity_id"]
    before = published.filter(is_of_group()).select(*key, F.col(f"{WAS}enrolledCount").alias("before"))
    held = held_in(inputs, None)
    if held is not None:
        present = held_activities(held).select(*key, F.col("members").cast("double").alias("present"))
        both = before.join(present, key, how="full")
        before = both.filter(~F.col("present").eqNullSafe(F.col("before")))
    return before.select(group_id())


def _contexts_of(inputs: Inputs, enrolments: DataFrame, course_ids: frozenset[str]) -> frozenset[str]:
    """The contexts that have an enrolment in one of the courses, or by the catalog had one."""
    named = among(enrolments.filter(~any_blank("batch_id")), "course_id", course_ids)
    found = named.select(context_id().alias("context_id"))
    if (recorded := inputs.catalog()) is not None:
        found = found.union(among(recorded, "course_id", course_ids).select("context_id"))
    return ids_in(found, "context_id")


def _of_erased(inputs: Inputs) -> Choice:
    """The pairs of learners that are erased, of the sources and, by a scan, of the stored rows.

    Their account, and so their rows, may be gone by now. Of an enrolment that is not active nothing is stored by which
    it could be told that something has ended: its context is looked at whole.
    """
    stored, named = inputs.stored_rows(ACTIVITY_USER_AGG), inputs.sources.of_erased(ENROLMENTS)
    pairs: DataFrame = inputs.spark.createDataFrame([], "user_id string, context_id string")
    users = find_erased(inputs)
    if named is not None:
        pairs = pairs_of(named)
    if stored is not None and users is not None:
        theirs = stored.select(*PAIR).distinct().join(users, "user_id", how="left_semi").select(*PAIR)
        pairs = pairs.union(theirs).distinct()
    kept = inputs.results.keep(pairs, _PAIRS)
    # Without a base no count is known to be exact, and an erase that died has taken rows by which contexts are found.
    whole = None if inputs.asked.is_everything else _of_inactive(named)
    # In which groups they were members is known no more, once their rows are left out: so all groups are looked at.
    return Choice(whole, kept, None, lambda choice: choice.of_batches(inputs.sources.frame(ENROLMENTS)))


def find_erased(inputs: Inputs) -> DataFrame | None:
    """(user_id) of everybody erased who has a stored row, None where the table is empty.

    Counts how many of the ids that are to be erased are in a source or in a stored row.
    """
    stored, users = inputs.stored_rows(ACTIVITY_USER_AGG), None
    if stored is not None:
        users = inputs.results.keep(erased_rows(stored.select("user_id").distinct(), inputs.execution.erased), "erased")
    inputs.counts[FOUND] = _found(inputs, [each for each in (inputs.sources.erased_users, users) if each is not None])
    return users


def _of_inactive(named: DataFrame | None) -> frozenset[str]:
    """The contexts of those of some enrolments that are not active."""
    if named is None:
        return frozenset()
    inactive = pairs_of(named.filter(~enrolments.is_active()))
    return ids_in(inactive, "context_id")


def _found(inputs: Inputs, known: Sequence[DataFrame]) -> int:
    """How many of the ids that are to be erased are in a source or in a stored row; `known` have (user_id)."""
    if not known:
        return 0
    ids = [(user_id,) for user_id in sorted(inputs.asked.erasing)]
    named = inputs.spark.createDataFrame(ids, "user_id string")
    return named.join(reduce(DataFrame.union, known), "user_id", how="left_semi").count()
