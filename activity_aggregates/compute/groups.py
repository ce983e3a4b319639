"""The rows of groups: of every group that a run touches, whole, from the learners' rows as they will stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from activity_aggregates.changes.change_set import compare
from activity_aggregates.compute.choice import Choice
from activity_aggregates.compute.contexts import contexts_of
from activity_aggregates.compute.held import held_in
from activity_aggregates.compute.inputs import Inputs
from activity_aggregates.compute.learners import ComparedLearners
from activity_aggregates.compute.listed import among, ids_in
from activity_aggregates.compute.reading import Placed, Refused, standing_catalog
from activity_aggregates.sources.tables import GROUP_MEMBERS, GROUPS
from activity_aggregates.store.targets import (
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics import groups, refusals
from metrics.catalog import IS_WHOLE
from metrics.learners import CARRIED, ENTRIES, LEARNER_KEY
from metrics.names import COURSE, QUIZ, WAS
from metrics.predicates import is_quiz
from metrics.values import stands


@dataclass(frozen=True)
class ComparedGroups:
    """The compared rows of both group tables, none where there is no group, and what is refused of the sources."""

    rows: dict[TargetTable, DataFrame]
    refused: Refused


def compare_groups(inputs: Inputs, choice: Choice, compared: ComparedLearners | None) -> ComparedGroups:
    """`compared` are the rows of the pairs at hand, None where no pair is."""
    placed, learners = (None, None) if compared is None else (compared.placed, compared.rows)
    if not (inputs.sources.has(GROUPS) and inputs.sources.has(GROUP_MEMBERS)):
        inputs.steps.say("no group part: sources.groups and sources.group_members are not configured")
        return ComparedGroups({}, {})
    with inputs.steps("read groups") as step:
        touched = None if choice.groups is None else _touched(inputs, choice, choice.groups, placed, learners)
        if touched is not None and not touched:
            return ComparedGroups({}, {})
        listed, members, refused = _members(inputs, touched)
        step.rows = inputs.counts["computed.group_members"]
    stored = {table: _stored(inputs, table, touched) for table in (GROUP_ACTIVITY_USER_AGG, GROUP_ACTIVITY_AGG)}
    if not inputs.counts["computed.group_activities"] and all(rows is None for rows in stored.values()):
        return ComparedGroups({}, refused)
    catalog = standing_catalog(inputs, placed)
    standing = _standing(inputs, choice, members, listed, catalog, learners)
    names = inputs.names(GROUP_ACTIVITY_USER_AGG)
    carried = inputs.execution.selection.carry
    rows = groups.member_rows(members, standing, [name for name in names if name not in carried], carried)
    course_rows = groups.course_rows(listed, catalog) if catalog is not None else None
    enrolled = groups.enrolled_members(members, course_rows, standing) if course_rows is not None else members.limit(0)
    held = _held(inputs, choice, compared, touched)
    group_rows = groups.group_rows(listed, members, enrolled, rows, inputs.metrics(GROUP_ACTIVITY_AGG), held)
    computed = {GROUP_ACTIVITY_USER_AGG: rows, GROUP_ACTIVITY_AGG: group_rows}
    compared_rows = {
        table: compare(table, inputs.names(table), computed[table], stored[table], F.lit(False)) for table in computed
    }
    return ComparedGroups(compared_rows, refused)


def _held(
    inputs: Inputs, choice: Choice, compared: ComparedLearners | None, touched: frozenset[str] | None
) -> DataFrame | None:
    """(group_id, activity_id) of the quizzes that are held inside the groups that are touched."""
    contexts = contexts_of(touched or ())
    is_at_hand = touched is None or (compared is not None and contexts <= (choice.whole or frozenset()))
    if choice.whole is None or (is_at_hand and not inputs.asked.done_contexts):
        held = None if compared is None else compared.held
    else:
        held = held_in(inputs, touched)
    return None if held is None else held.select("group_id", "activity_id").distinct()


def _touched(
    inputs: Inputs, choice: Choice, asked: frozenset[str], placed: Placed | None, learners: DataFrame | None
) -> frozenset[str]:
    """The groups that were asked for, those with a member among the learners at hand, and those with a new quiz.

    Who was named is at hand also without a row: by an inactive enrolment, or by none.
    """
    if learners is None:
        return asked
    belonging = refusals.accepted(groups.assess_members(inputs.sources.frame(GROUP_MEMBERS)))
    users = learners.select("user_id")
    if choice.pairs is not None:
        users = users.union(choice.pairs.select("user_id"))
    theirs = groups.active_members(belonging).join(users.distinct(), "user_id", how="left_semi").select("group_id")
    if placed is not None and placed.has_new_quizzes:
        theirs = theirs.union(_with_new_quizzes(inputs, choice, placed))
    return asked | ids_in(theirs, "group_id")


def _with_new_quizzes(inputs: Inputs, choice: Choice, placed: Placed) -> DataFrame:
    """(group_id) of the groups that list a quiz which a context has from now on.

    Whoever has a row of its course there is enrolled in it, and need not be at hand. Courses and units are new with
    their first learners, who are.
    """
    is_new = F.col("recorded_course_id").isNull() & F.col("course_id").isNotNull() & is_quiz() & ~F.col(IS_WHOLE)
    new = choice.with_whole(placed.owners).filter(is_new).select("activity_id").distinct()
    accepted = refusals.accepted(groups.assess_group_activities(inputs.sources.frame(GROUPS)))
    listed = groups.group_activities(accepted, inputs.choices.course_types).filter(F.col(groups.MEANT) == QUIZ)
    return listed.join(new, "activity_id", how="left_semi").select("group_id")


def _members(inputs: Inputs, touched: frozenset[str] | None) -> tuple[DataFrame, DataFrame, Refused]:
    """`groups.GROUP_ACTIVITY_KEY` of the groups that are touched, and their members by activity; assessed, counted."""
    group_rows, member_rows = inputs.sources.frame(GROUPS), inputs.sources.frame(GROUP_MEMBERS)
    if touched is not None:
        group_rows = among(group_rows, "group_id", touched)
        member_rows = among(member_rows, "group_id", touched)
    listed, belonging = groups.assess_group_activities(group_rows), groups.assess_members(member_rows)
    of_groups, of_members, joined = Observation(), Observation(), Observation()
    counted = refusals.refusal_counts(refusals.MISSING_KEY)
    types = inputs.choices.course_types
    observed_listed = listed.observe(of_groups, *counted, groups.unserved_activities(types))
    distinct, counted_activities = Observation(), F.count(F.lit(1)).alias("activities")
    activities = groups.group_activities(refusals.accepted(observed_listed), types).observe(
        distinct, counted_activities
    )
    by_activity = groups.members_by_activity(activities, refusals.accepted(belonging.observe(of_members, *counted)))
    is_member = F.col("user_id").isNotNull()
    observed = by_activity.observe(joined, F.count_if(is_member).alias("members"))
    kept = inputs.results.keep(observed, "members")
    inputs.counts["computed.group_members"] = joined.get["members"]
    inputs.counts["computed.group_activities"] = distinct.get["activities"]
    for name, seen in (("groups", of_groups), ("group_members", of_members)):
        inputs.counts[f"read.{name}"] = seen.get["read"]
        inputs.counts[f"refused.{name}.{refusals.MISSING_KEY}"] = seen.get[refusals.MISSING_KEY]
    inputs.counts["counted.unserved_group_activities"] = of_groups.get["unserved"]
    refused = {
        "groups": refusals.refused(listed, *groups.GROUP_ACTIVITY_KEY),
        "group_members": refusals.refused(belonging, "group_id", "user_id"),
    }
    listed_once = kept.select(*groups.GROUP_ACTIVITY_KEY, groups.MEANT).distinct()  # also where nobody else is in it
    return listed_once, inputs.without_erased(kept).filter(is_member), refused


def _stored(inputs: Inputs, table: TargetTable, touched: frozenset[str] | None) -> DataFrame | None:
    rows = inputs.stored_rows(table)
    return rows if rows is None or touched is None else among(rows, "group_id", touched)


def _standing(
    inputs: Inputs,
    choice: Choice,
    members: DataFrame,
    listed: DataFrame,
    catalog: DataFrame | None,
    learners: DataFrame | None,
) -> DataFrame:
    """(`LEARNER_KEY`, entries, metrics…, carried…) of the rows that members have or, with this run, will have."""
    names = inputs.names(ACTIVITY_USER_AGG)
    carried = [CARRIED + name for name in inputs.execution.selection.carry]
    columns = [*LEARNER_KEY, ENTRIES, *names, *carried]
    after = None if learners is None else learners.filter(stands(names)).select(columns)
    if choice.is_everything and after is not None:
        return after
    keys = (
        groups.served_types(members)
        .select(groups.SERVED, "activity_id", "user_id")
        .toDF(*ACTIVITY_USER_AGG.partition_key)
    )
    if catalog is not None:
        courses = groups.course_rows(listed, catalog).select(*groups.GROUP_ACTIVITY_KEY, "course_id").distinct()
        of_courses = members.join(courses, list(groups.GROUP_ACTIVITY_KEY), how="inner")
        keys = keys.union(of_courses.select(F.lit(COURSE), "course_id", "user_id"))
    stored = _stored_learners(inputs, keys.distinct(), names, carried)
    if stored is None:
        return after if after is not None else inputs.spark.createDataFrame([], _schema([*names, *carried]))
    if after is None:
        return stored
    assert learners is not None
    return stored.join(learners.select(*LEARNER_KEY), list(LEARNER_KEY), how="left_anti").unionByName(after)


def _stored_learners(
    inputs: Inputs, keys: DataFrame, names: tuple[str, ...], carried: Sequence[str]
) -> DataFrame | None:
    everything = inputs.stored_rows(ACTIVITY_USER_AGG)
    if everything is None:
        return None
    table = ACTIVITY_USER_AGG.name
    rows = None
    if inputs.can_look_up and inputs.lookups.may_be_cheaper(table):
        keys = inputs.results.keep(keys, "member_keys")
        if inputs.lookups.are_cheaper(table, keys):
            found = inputs.stored.matching(ACTIVITY_USER_AGG, names, keys, ACTIVITY_USER_AGG.partition_key)
            rows = inputs.results.keep(found, table)
    if rows is None:
        # Keys are distinct. Spark does a semi join before it brings a small table into one task: in one for each range.
        rows = everything.join(keys, list(ACTIVITY_USER_AGG.partition_key), how="inner")
    values = [F.col(WAS + name).alias(name) for name in (ENTRIES, *names)]
    return rows.select(*LEARNER_KEY, *values, *carried).filter(stands(names))


def _schema(names: Sequence[str]) -> str:
    keys = ", ".join(f"{name} string" for name in LEARNER_KEY)
    return f"{keys}, {ENTRIES} map<string,double>, " + ", ".join(f"{name} double" for name in names)
