"""Shows what the newest run has computed: one learner, one course, one group; a few lines where it wrote nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from textwrap import wrap

from cassandra.cluster import Session

from activity_aggregates.report.outcome import outcome
from activity_aggregates.settings import Settings, Target
from activity_aggregates.store.ledger import Ledger
from activity_aggregates.store.records import SUCCEEDED, RunRecord
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_DAY_AGG,
    ACTIVITY_USER_AGG,
    AGGREGATE_TABLES,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics.names import QUIZ
from scripts.sample.command import on_cassandra
from scripts.sample.examples import CourseInBatch, chosen_course, chosen_group, chosen_learner
from scripts.sample.ids import group_id
from scripts.sample.readable import by_family, quizzes_taken, readable
from scripts.sample.stored import Activity, Agg, Stored

DAYS = 5
MEMBERS = 6
LONGEST_PHASES = 3
UNBROKEN = "\N{NO-BREAK SPACE}"
LINE = 100  # characters of metrics, before they go on below
NEXT = """
AND NOW
  scripts/run      once more: nothing has changed, so nothing is written
  scripts/serve    the read API, and a curl line that shows this group
  scripts/cassandra cql "SELECT * FROM {groups} WHERE group_id = '{group}'"
  eval "$(scripts/cassandra status --export)" && .venv/bin/activity-aggregates report last --conf conf/demo.yaml
                   the run as a page with charts
  scripts/cassandra stop
  docs/definitions.md says what each number means, docs/running.md how to run it on your own tables
"""


def main(argv: Sequence[str]) -> int:
    return on_cassandra("show", __doc__, argv, show)


def show(session: Session, settings: Settings) -> int:
    target = settings.target
    run = Ledger(session, target.keyspace, target.tables["aggregate_runs"]).latest()
    if run is None:
        print("no run yet: start one with scripts/run", file=sys.stderr)
        return 1
    written = run.counts.get("written", 0)
    if written:
        show_examples(Stored(session, target))
        show_run(run)
    else:
        show_shortly(run, target)
    print(f"{written} rows written")
    return 0


def show_examples(stored: Stored) -> None:
    """A course, a group that has it, a learner who is in both; a run of a scope may not have come to them yet."""
    chosen = chosen_course(stored)
    if chosen is None:
        return
    group = chosen_group(chosen.course)
    learner = chosen_learner(stored, group, chosen) if group else None
    if learner:
        show_learner(stored, learner, chosen)
    show_course(stored, chosen)
    if group:
        show_group(stored, group)
        print(NEXT.format(groups=stored.place(GROUP_ACTIVITY_AGG), group=group_id(group)))


def show_learner(stored: Stored, learner: str, chosen: CourseInBatch) -> None:
    print(f"\nONE LEARNER: {stored.learner_name(learner)}, in {stored.batch_name(chosen.course.id, chosen.batch)}")
    print(f"{stored.place(ACTIVITY_USER_AGG)}, user_id {learner}, context_id {chosen.context}")
    for activity in (chosen.course, *stored.below(chosen.course, chosen.context)):
        agg = stored.of_learner(activity, learner, chosen.context)
        if agg:
            show_row(ACTIVITY_USER_AGG, activity, agg)


def show_course(stored: Stored, chosen: CourseInBatch) -> None:
    print(f"\nONE COURSE: {stored.batch_name(chosen.course.id, chosen.batch)}")
    print(f"{stored.place(ACTIVITY_AGG)}, context_id {chosen.context}")
    for activity in (chosen.course, *stored.below(chosen.course, chosen.context)):
        show_row(ACTIVITY_AGG, activity, stored.of_activity(activity, chosen.context) or {})
    days = stored.last_days(chosen.course, chosen.context, DAYS)
    if days:
        print(f"its last days, in {stored.place(ACTIVITY_DAY_AGG)}")
        for day, agg in reversed(days):
            texts = by_family(ACTIVITY_DAY_AGG.name, chosen.course.type, agg)
            print(f"  {day}  {', '.join(text for of_family in texts.values() for text in of_family)}")


def show_group(stored: Stored, name: str) -> None:
    group = group_id(name)
    activities = stored.of_group(group)
    print(f"\nONE GROUP: {name}")
    print(f"{stored.place(GROUP_ACTIVITY_AGG)}, group_id {group}")
    for activity, agg in activities:
        show_row(GROUP_ACTIVITY_AGG, activity, agg)
    print(f"its members, in {stored.place(GROUP_ACTIVITY_USER_AGG)}")
    show_members(stored, group, [activity for activity, _ in activities])


def show_members(stored: Stored, group: str, activities: list[Activity]) -> None:
    """Those who take part in most activities first; what stands in the cells is what the API shows beside a member."""
    rows = {activity: stored.of_members(group, activity) for activity in activities}
    members = stored.active_members(group)
    names = {learner: stored.learner_name(learner) for learner in members}
    members.sort(key=lambda learner: (-sum(learner in of for of in rows.values()), names[learner], learner))
    lines = [[names[learner], *(share(of, learner) for of in rows.items())] for learner in members[:MEMBERS]]
    print_aligned([["", *(activity.name for activity in activities)], *lines])
    if len(members) > MEMBERS:
        print(f"  … and {len(members) - MEMBERS} more")


def share(of: tuple[Activity, dict[str, Agg]], learner: str) -> str:
    """How far a member has come in an activity, in percent; - without a row."""
    activity, rows = of
    name = "scorePercentage" if activity.type == QUIZ else "completionPercentage"
    return readable(rows[learner].get(name, 0.0), "percent") if learner in rows else "-"


def show_row(table: TargetTable, activity: Activity, agg: Agg) -> None:
    print(f"  {activity.type} {activity.name}")
    families = by_family(table.name, activity.type, agg)
    quizzes = quizzes_taken(agg)
    if quizzes:
        families["each quiz"] = [f"score:ID, max_score:ID and attempts_count:ID of {quizzes} quizzes, which follow"]
    for family, texts in families.items():
        first, *more = wrapped(texts)
        print("\n".join([f"    {family:<13} {first}", *(f"{'':<18}{line}" for line in more)]))


def wrapped(texts: list[str]) -> list[str]:
    """One after the other on lines, none of them divided."""
    lines = wrap(", ".join(text.replace(" ", UNBROKEN) for text in texts), LINE)
    return [line.replace(UNBROKEN, " ") for line in lines]


def show_run(run: RunRecord) -> None:
    """What was written, by table, and what took longest."""
    print(f"run {run.run_id}: {outcome(run)} {longest(run)}")
    print_aligned(
        [
            [table.name, f"{run.counts[f'written.{table.name}']:,} rows"]
            for table in AGGREGATE_TABLES
            if run.counts.get(f"written.{table.name}")
        ]
    )


def show_shortly(run: RunRecord, target: Target) -> None:
    """What a run did that has written nothing, and where the rows are that it found."""
    stored = sum(run.counts.get(f"stored.{table.name}", 0) for table in AGGREGATE_TABLES)
    is_news = run.status != SUCCEEDED
    print(
        outcome(run)
        if is_news
        else f"nothing has changed: the {stored:,} stored rows are as they would be computed now"
    )
    print(longest(run))
    print(f'rows: scripts/cassandra cql "SELECT * FROM {target.keyspace}.{target.tables["activity_agg"]} LIMIT 3"')


def longest(run: RunRecord) -> str:
    phases = sorted(run.phases.items(), key=lambda phase: -phase[1])[:LONGEST_PHASES]
    return "It took longest to " + ", ".join(f"{name} ({seconds:.1f} s)" for name, seconds in phases) + "."


def print_aligned(lines: list[list[str]]) -> None:
    """Columns as wide as their widest cell; the last one is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
