"""A scope names what is there, or is refused with the value that names nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from activity_aggregates.compute.scoped import Scoped
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.request.scope import Scope
from activity_aggregates.sources.tables import SourceTable
from activity_aggregates.store.targets import TargetTable
from tests.harness.frames import frame

ENROLLED = [("u1", "c1", "b1"), ("u2", "c2", "b2")]
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "enrolments": ENROLLED,
    "hierarchies": [("c1", "{}")],
    "attempts": [("u1", "c1", "b1", "everywhere")],
    "groups": [("g1",)],
    "group_members": [("g1", "u1")],
    "group_attempts": [("g1", "held"), ("g1", "everywhere"), (None, "held")],
}
COLUMNS = {
    "enrolments": "user_id string, course_id string, batch_id string",
    "hierarchies": "course_id string, hierarchy string",
    "attempts": "user_id string, course_id string, batch_id string, content_id string",
    "groups": "group_id string",
    "group_members": "group_id string, user_id string",
    "group_attempts": "group_id string, content_id string",
}
STORED: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "activity_agg": ("activity_type string, activity_id string, context_id string", [("Quiz", "before", "g:gone")]),
    "group_activity_agg": ("group_id string", [("emptied",)]),
}
IN_CATALOG = [("cb:before", "Course", "c0", "c0")]


@dataclass
class Few:
    """In the place of what a run shares: sources and stored rows of a few rows, all of them read by scans."""

    spark: SparkSession
    asked: Asked
    counts: dict[str, int] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)

    sources = property(lambda self: self)
    results = property(lambda self: self)

    def has(self, table: SourceTable) -> bool:
        return table.name in ROWS

    def frame(self, table: SourceTable) -> DataFrame:
        return frame(self.spark, COLUMNS[table.name], *ROWS[table.name])

    def catalog(self, _: object = None) -> DataFrame:
        schema = "context_id string, activity_type string, activity_id string, course_id string"
        return frame(self.spark, schema, *IN_CATALOG)

    def stored_rows(self, table: TargetTable) -> DataFrame:
        schema, rows = STORED[table.name]
        return frame(self.spark, schema, *rows)

    def matching(self, table: SourceTable, keys: DataFrame, key: list[str]) -> DataFrame:
        return self.frame(table).join(keys, key, how="left_semi")

    def keep(self, rows: DataFrame, _: str) -> DataFrame:
        self.plans.append(rows._jdf.queryExecution().toString())
        return rows


def chosen(spark: SparkSession, **named: list[str]) -> set[str]:
    """The contexts that are looked at whole."""
    scope = Scope.parse(*(named.get(each, []) for each in ("activities", "contexts", "groups", "users")))
    shared: Any = Few(spark, Asked(scope))
    return set(Scoped(shared).choice().whole or ())


@pytest.mark.parametrize(
    ("named", "value"),
    [
        ({"contexts": ["cb:typo"]}, "context cb:typo"),
        ({"contexts": ["cb:b1", "g:nosuch"]}, "context g:nosuch"),
        ({"contexts": ["cb:typo"], "users": ["u1"]}, "context cb:typo"),
        ({"contexts": ["cb:typo"], "activities": ["Course:c1"]}, "context cb:typo"),
        ({"groups": ["nosuch"]}, "group nosuch"),
        ({"activities": ["Quiz:nosuch"]}, "activity Quiz:nosuch"),
        ({"activities": ["CourseUnit:held"]}, "activity CourseUnit:held"),
    ],
)
def test_what_names_nothing_is_refused(spark: SparkSession, named: dict[str, list[str]], value: str) -> None:
    with pytest.raises(BadRequest, match=f"^the scope's {value} has nothing in the sources"):
        chosen(spark, **named)


def test_no_plan_names_a_learner_of_the_scope(spark: SparkSession) -> None:
    """Spark's pages and its event log show plans to whoever may see them."""
    shared: Any = Few(spark, Asked(Scope.parse([], ["cb:b1"], [], ["u1", "of-whom-no-plan-tells"])))
    choice = Scoped(shared).choice()
    plans = [*shared.plans, choice.enrolments(choice)._jdf.queryExecution().toString()]
    assert choice.groups == frozenset({"g1"})
    assert [plan for plan in plans if "cb:b1" in plan]
    assert not [plan for plan in plans if "of-whom-no-plan-tells" in plan]


@pytest.mark.parametrize("context", ["cb:b1", "cb:before", "g:g1", "g:emptied", "g:gone"])
def test_a_context_is_in_the_sources_or_in_the_stored_rows(spark: SparkSession, context: str) -> None:
    assert chosen(spark, contexts=[context]) == {context}


@pytest.mark.parametrize(
    ("quiz", "contexts"),
    [("held", {"g:g1"}), ("everywhere", {"cb:b1", "g:g1"}), ("before", {"g:gone"})],
)
def test_a_quiz_is_in_the_groups_that_hold_it_too(spark: SparkSession, quiz: str, contexts: set[str]) -> None:
    assert chosen(spark, activities=[f"Quiz:{quiz}"]) == contexts
    assert chosen(spark, activities=[quiz]) == contexts


def test_learners_of_a_context_in_which_they_are_not_are_none_and_no_mistake(spark: SparkSession) -> None:
    assert chosen(spark, users=["u1"], contexts=["cb:b2"]) == set()
