"""Quizzes that are held inside a group: the context is the group, its learners are the active members."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.names import GROUP_CONTEXT, QUIZ


def group_context() -> Column:
    """The context of a group, `g:<group_id>`."""
    return F.concat(F.lit(GROUP_CONTEXT), F.col("group_id"))


def held_quizzes(best: DataFrame, groups: DataFrame, members: DataFrame) -> DataFrame:
    """(group_id, context_id, activity_type, activity_id, user_id, is_active, members, score, maxScore, attemptsCount).

    The attempts of everybody with a member row in an active group. `best` is `quizzes.best_group_attempts`, `groups`
    has (group_id) of the active ones, `members` (group_id, user_id, is_active), each once. `members` of the result is
    how many are active.
    """
    sizes = members.groupBy("group_id").agg(F.count_if("is_active").alias("members"))
    return (
        best.join(groups, "group_id", how="left_semi")
        .join(members, ["group_id", "user_id"], how="inner")
        .join(sizes, "group_id", how="inner")
        .select(
            "group_id", group_context().alias("context_id"), F.lit(QUIZ).alias("activity_type"),
            F.col("content_id").alias("activity_id"), "user_id", "is_active", "members",
            "score", "maxScore", "attemptsCount",
        )
    )  # fmt: skip


def held_activities(held: DataFrame) -> DataFrame:
    """(context_id, activity_type, activity_id, members) of every quiz that anybody attempted in its group."""
    return held.select("context_id", "activity_type", "activity_id", "members").distinct()
