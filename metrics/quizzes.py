"""Quiz attempts: the best one of each learner and quiz, and how many there were."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.enrolments import matched_counts
from metrics.keys import ENROLMENT_KEY, enrolment_key
from metrics.names import ATTEMPTS_COUNT, GROUP_CONTEXT, MAX_SCORE, QUIZ, SCORE
from metrics.predicates import context_id
from metrics.refusals import (
    INVALID_DATE,
    INVALID_SCORE,
    MISSING_KEY,
    OPEN_ATTEMPT,
    any_blank,
    first_problem,
    is_invalid_date,
    is_invalid_score,
)

# Of a learner's attempts at one quiz: the best one, how many there were, and when the latest was, in milliseconds.
QUIZ_COLUMNS = {"score": "double", "maxScore": "double", "attemptsCount": "bigint", "lastActiveOn": "bigint"}
ATTEMPT_KEY = ("course_id", "batch_id", "user_id", "content_id", "attempt_id")
GROUP_ATTEMPT_KEY = ("group_id", "content_id", "user_id", "attempt_id")


def assess_attempts(attempts: DataFrame) -> DataFrame:
    """Every row of `ATTEMPT_KEY`, total_score, total_max_score, last_attempted_on with its `problem`."""
    return _assessed(attempts, ATTEMPT_KEY)


def assess_group_attempts(attempts: DataFrame) -> DataFrame:
    """Every row of `GROUP_ATTEMPT_KEY` and the columns of `assess_attempts`: of a quiz that was held inside a group."""
    return _assessed(attempts, GROUP_ATTEMPT_KEY)


def _assessed(attempts: DataFrame, key: tuple[str, ...]) -> DataFrame:
    problem = first_problem(
        (MISSING_KEY, any_blank(*key)),
        (INVALID_DATE, is_invalid_date()),
        (OPEN_ATTEMPT, is_open()),
        (INVALID_SCORE, is_invalid_score("total_score") | is_invalid_score("total_max_score")),
    )
    return attempts.select(*key, "total_score", "total_max_score", "last_attempted_on", problem.alias("problem"))


def is_open() -> Column:
    """Whether an attempt was opened and not submitted: it has no score yet, and nothing else is wrong with it."""
    maximum = "total_max_score"
    return F.col("total_score").isNull() & (F.col(maximum).isNull() | ~is_invalid_score(maximum))


def open_attempts() -> Column:
    """An aggregate over assessed attempts: those that were opened and not submitted."""
    return F.count_if(F.col("problem") == OPEN_ATTEMPT).alias("open_attempts")


def best_attempts(accepted: DataFrame) -> DataFrame:
    """(key_high, key_low, content_id, `QUIZ_COLUMNS`, attempt_rows) of each learner and quiz."""
    return _best(accepted.select("*", *enrolment_key()), *ENROLMENT_KEY, "content_id")


def best_group_attempts(accepted: DataFrame) -> DataFrame:
    """(group_id, content_id, user_id, `QUIZ_COLUMNS`, attempt_rows): of quizzes held inside groups."""
    return _best(accepted, "group_id", "content_id", "user_id")


def _best(accepted: DataFrame, *key: str) -> DataFrame:
    """(key…, `QUIZ_COLUMNS`, attempt_rows).

    The best attempt has the greatest score, then the latest date (none before any), then the greatest attempt_id.
    """
    # Structs compare field by field with null first, which is the order wanted. Adding 0.0 turns -0.0 into 0.0.
    score, max_score = F.col("total_score") + 0.0, F.col("total_max_score") + 0.0
    ranked = F.struct(score.alias("score"), "last_attempted_on", "attempt_id", max_score.alias("max_score"))
    return (
        accepted.groupBy(*key)
        .agg(
            F.max(ranked).alias("best"),
            F.size(F.collect_set("attempt_id")).cast("long").alias("attemptsCount"),
            F.unix_millis(F.max("last_attempted_on")).alias("lastActiveOn"),
            F.count(F.lit(1)).alias("attempt_rows"),
        )
        .select(
            *key,
            "best.score", F.col("best.max_score").alias("maxScore"), "attemptsCount", "lastActiveOn", "attempt_rows",
        )
    )  # fmt: skip


def quiz_scores(enrolments: DataFrame, best: DataFrame) -> DataFrame:
    """Best attempts with the learner, activity and context they belong to, of active enrolments and others."""
    taken = enrolments.drop(*QUIZ_COLUMNS).join(best, list(ENROLMENT_KEY), how="inner")
    return taken.select(
        *ENROLMENT_KEY, "user_id", "course_id", context_id().alias("context_id"), "is_enrolled", "is_retired",
        F.lit(QUIZ).alias("activity_type"), F.col("content_id").alias("activity_id"),
        *QUIZ_COLUMNS, "attempt_rows",
    )  # fmt: skip


def matched_attempt_counts() -> list[Column]:
    """Aggregates over `quiz_scores`, in rows of attempts."""
    return matched_counts(F.col("attempt_rows"), "attempts")


def scores_by_enrolment(scores: DataFrame) -> DataFrame:
    """(key_high, key_low, scores map<string,double>, attemptedOn) of every enrolment with an attempt.

    The three numbers of every quiz that the learner took, and when the latest attempt was, in milliseconds.
    """
    values = ((SCORE, "score"), (MAX_SCORE, "maxScore"), (ATTEMPTS_COUNT, "attemptsCount"))
    entries = F.array(*(_entry(F.concat(F.lit(prefix), "activity_id"), F.col(value)) for prefix, value in values))
    return (
        scores.filter(F.col("is_enrolled") & ~F.col("is_retired"))
        .groupBy(*ENROLMENT_KEY)
        .agg(
            F.map_from_entries(F.flatten(F.collect_list(entries))).alias("scores"),
            F.max("lastActiveOn").alias("attemptedOn"),
        )
    )


def _entry(name: Column, value: Column) -> Column:
    return F.struct(name.alias("name"), value.cast("double").alias("value"))


def group_context() -> Column:
    """The context of a group, `g:<group_id>`."""
    return F.concat(F.lit(GROUP_CONTEXT), F.col("group_id"))


def held_quizzes(best: DataFrame, groups: DataFrame, members: DataFrame) -> DataFrame:
    """(group_id, context_id, activity_type, activity_id, user_id, is_active, members, `QUIZ_COLUMNS`).

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
            F.col("content_id").alias("activity_id"), "user_id", "is_active", "members", *QUIZ_COLUMNS,
        )
    )  # fmt: skip


def held_activities(held: DataFrame) -> DataFrame:
    """(context_id, activity_type, activity_id, members) of every quiz that anybody attempted in its group."""
    return held.select("context_id", "activity_type", "activity_id", "members").distinct()
