"""Contexts of groups, in which quizzes are held: their ids are those of the groups with `g:` before them."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column
from pyspark.sql import functions as F

from metrics.names import GROUP_CONTEXT


def contexts_of(groups: Iterable[str]) -> frozenset[str]:
    """The contexts of these groups."""
    return frozenset(GROUP_CONTEXT + group for group in groups)


def groups_of(contexts: Iterable[str]) -> frozenset[str]:
    """The groups whose contexts are among these.

    >>> groups_of({"cb:b1", "g:g1"})
    frozenset({'g1'})
    """
    return frozenset(each.removeprefix(GROUP_CONTEXT) for each in contexts if each.startswith(GROUP_CONTEXT))


def has_courses(contexts: Iterable[str]) -> bool:
    """Whether one of these contexts is not a group's, and so has courses."""
    return not all(each.startswith(GROUP_CONTEXT) for each in contexts)


def is_of_group() -> Column:
    """Whether a row (with context_id) is of a group's context."""
    return F.col("context_id").startswith(GROUP_CONTEXT)


def group_id() -> Column:
    """The group of a row that is of one."""
    return F.expr(f"substr(context_id, {len(GROUP_CONTEXT) + 1})").alias("group_id")
