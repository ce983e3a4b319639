"""Groups: their active members and activities, and the metrics of both from the members' best contexts."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.catalog import ACTIVITY_IN_CONTEXT
from metrics.declarations import OWN_ROWS, Metric
from metrics.learners import CARRIED, ENTRIES, best_context_rank
from metrics.names import ACTIVE, ACTIVITY_TYPES, COURSE, COURSE_UNIT, GROUP_CONTEXT, QUIZ, course_words
from metrics.quizzes import group_context
from metrics.refusals import MISSING_KEY, any_blank, first_problem
from metrics.values import SIGN, sums, with_values

GROUP_ACTIVITY_KEY = ("group_id", "activity_type", "activity_id")
MEMBER_KEY = (*GROUP_ACTIVITY_KEY, "user_id")
MEANT = "meant"  # the type of activity that a group means by the one that it lists
_LISTED = "listed"  # the type as the group lists it, while a row has the one that is meant in its place
SERVED = "served"  # the type of the learners' rows that serve it


def assess_group_activities(groups: DataFrame) -> DataFrame:
    """(group_id, activity_type, activity_id, problem) for every activity listed by an active group.

    A row without a group_id, whose status may be lost as well, lists at least one.
    """
    one = F.expr("array(cast(map() as map<string,string>))")
    lists_none = F.coalesce(F.size("activities"), F.lit(0)) < 1
    each = F.when(any_blank("group_id") & lists_none, one).otherwise(F.col("activities"))
    is_looked_at = (F.col("status") == ACTIVE) | any_blank("group_id")
    listed = groups.filter(is_looked_at).select("group_id", F.explode(each).alias("activity"))
    activities = listed.select(
        "group_id", F.col("activity")["type"].alias("activity_type"), F.col("activity")["id"].alias("activity_id")
    )
    return activities.withColumn("problem", first_problem((MISSING_KEY, any_blank(*GROUP_ACTIVITY_KEY))))


def meant_type(course_types: Sequence[str], column: str = "activity_type") -> Column:
    """The type of activity that is meant by the listed one, null where it is not served.

    `course_types` are words for a Course, besides its own, whatever the case.
    """
    listed, words = F.col(column), sorted(course_words(course_types))
    return F.when(F.lower(listed).isin(words), F.lit(COURSE)).when(listed.isin(*ACTIVITY_TYPES), listed)


def group_activities(accepted: DataFrame, course_types: Sequence[str] = ()) -> DataFrame:
    """(`GROUP_ACTIVITY_KEY`, meant) of the activities of the types that are served, as listed, a duplicate once."""
    served = accepted.withColumn(MEANT, meant_type(course_types)).filter(F.col(MEANT).isNotNull())
    return served.select(*GROUP_ACTIVITY_KEY, MEANT).distinct()


def unserved_activities(course_types: Sequence[str] = ()) -> Column:
    """Aggregate over `assess_group_activities`, to be observed: accepted activities of other types, passed over."""
    return F.count_if(F.col("problem").isNull() & meant_type(course_types).isNull()).alias("unserved")


def assess_members(group_members: DataFrame) -> DataFrame:
    """(group_id, user_id, status, problem) of every row."""
    problem = first_problem((MISSING_KEY, any_blank("group_id", "user_id")))
    return group_members.select("group_id", "user_id", "status", problem.alias("problem"))


def members_by_activity(activities: DataFrame, accepted_members: DataFrame) -> DataFrame:
    """(`MEMBER_KEY`, meant) for every active member of a group and every activity of the group.

    An activity of a group that nobody is in has one row, without a user_id.
    """
    return activities.join(active_members(accepted_members), "group_id", how="left").select(*MEMBER_KEY, MEANT)


def active_members(accepted_members: DataFrame) -> DataFrame:
    """(group_id, user_id), each once."""
    return accepted_members.filter(F.col("status") == ACTIVE).select("group_id", "user_id").distinct()


def course_rows(activities: DataFrame, catalog: DataFrame) -> DataFrame:
    """(group_id, activity_type, activity_id, course_id, context_id): where a unit or quiz belongs to a course.

    Whoever has a Course row there is enrolled in the activity. `catalog` has (context_id, activity_type, activity_id,
    course_id).
    """
    places = catalog.select(*ACTIVITY_IN_CONTEXT, "course_id").withColumnRenamed("activity_type", MEANT)
    below = activities.filter(F.col(MEANT) != COURSE)
    return below.join(places, [MEANT, "activity_id"], how="inner").select(
        *GROUP_ACTIVITY_KEY, "course_id", "context_id"
    )


def served_types(members: DataFrame) -> DataFrame:
    """Each member once for each type of rows that serve the activity: a Course also where it is nested in another."""
    types = F.when(F.col(MEANT) == COURSE, F.array(F.lit(COURSE), F.lit(COURSE_UNIT))).otherwise(F.array(F.col(MEANT)))
    return members.withColumn(SERVED, F.explode(types))


def enrolled_members(members: DataFrame, course_rows: DataFrame, learners: DataFrame) -> DataFrame:
    """`MEMBER_KEY` of the members with a row of the course that owns the activity, in a context where it does.

    `members` is `members_by_activity`, `learners` has `LEARNER_KEY` of the learners' rows as they will stand.
    """
    courses = learners.filter(F.col("activity_type") == COURSE).select(
        "user_id", F.col("activity_id").alias("course_id"), "context_id"
    )
    return (
        members.join(course_rows, list(GROUP_ACTIVITY_KEY), how="inner")
        .join(courses, ["user_id", "course_id", "context_id"], how="left_semi")
        .select(*MEMBER_KEY)
        .distinct()
    )


def member_rows(members: DataFrame, learners: DataFrame, names: Sequence[str], carry: Sequence[str] = ()) -> DataFrame:
    """(`MEMBER_KEY`, meant, `entries`, names…, carry…): each member's row of the best context, where there is any.

    Never of a quiz that was held in another group.

    `learners` has `LEARNER_KEY`, `entries`, the metrics of the learners' rows as they will stand and, as `CARRIED` and
    their names, what is taken along of others' entries in them.
    """
    values = [*map(F.col, [ENTRIES, *names]), *(F.col(CARRIED + name).alias(name) for name in carry)]
    rank = F.struct(best_context_rank(), F.col(SERVED) != F.col(MEANT))  # at equality the Course itself
    best = F.min_by(F.struct(*values), rank).alias("best")
    serving = learners.withColumnRenamed("activity_type", SERVED)
    joined = served_types(members).join(serving, [SERVED, "activity_id", "user_id"], how="inner")
    is_elsewhere = F.col("context_id").startswith(GROUP_CONTEXT) & (F.col("context_id") != group_context())
    grouped = joined.filter(~is_elsewhere).groupBy(*MEMBER_KEY, MEANT)
    return grouped.agg(best).select(*MEMBER_KEY, MEANT, "best.*")


def group_rows(
    activities: DataFrame,
    members: DataFrame,
    enrolled: DataFrame,
    rows: DataFrame,
    metrics: Sequence[Metric],
    held: DataFrame | None = None,
) -> DataFrame:
    """(`GROUP_ACTIVITY_KEY`, a double for each metric) for each activity of each active group, also with nobody in it.

    `enrolled` is `enrolled_members` of these `members`, `rows` are their `member_rows`: who has one of a Course is
    enrolled in it. `held` are (group_id, activity_id), each once, of quizzes held in the group, in which every member
    is. Metrics stand in the rows of the types that are meant.
    """
    key = list(GROUP_ACTIVITY_KEY)
    standing = members.join(rows.drop(MEANT).withColumn("is_there", F.lit(True)), list(MEMBER_KEY), how="left")
    flagged = standing.join(enrolled.select(*MEMBER_KEY, F.lit(True).alias("is_below")), list(MEMBER_KEY), how="left")
    is_enrolled = F.col("is_below") | (F.col("is_there") & (F.col(MEANT) == COURSE))
    if held is not None:
        flagged = flagged.join(held.withColumn("is_held", F.lit(True)), ["group_id", "activity_id"], how="left")
        is_enrolled |= F.col("is_held") & (F.col(MEANT) == QUIZ)
    # Who has no row is counted, and adds nothing.
    sign = F.coalesce(F.col("is_there"), F.lit(False)).cast("int")
    signed = flagged.withColumns({"is_enrolled": is_enrolled, SIGN: sign})
    counts = [F.count(F.lit(1)).alias("memberCount"), F.count_if("is_enrolled").alias("enrolledCount")]
    added = sums(_as_meant(signed), metrics, ("group_id", _LISTED, "activity_id"), OWN_ROWS, counts)
    joined = activities.join(added.withColumnRenamed(_LISTED, "activity_type"), key, how="left")
    zeros = {name: F.coalesce(name, F.lit(0)) for name in added.columns if name not in (*key, _LISTED)}
    values = with_values(_as_meant(joined.withColumns(zeros)), metrics, "group_id", _LISTED, "activity_id")
    return values.withColumnRenamed(_LISTED, "activity_type")


def _as_meant(rows: DataFrame) -> DataFrame:
    """The rows with the type that is meant as theirs, for metrics that stand in rows of some types only."""
    return rows.withColumnRenamed("activity_type", _LISTED).withColumnRenamed(MEANT, "activity_type")
