"""The model agrees with the executable expectations, and with the corners of the definitions, literally."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.model import (
    ActivityKey,
    Attempt,
    Enrolment,
    Expected,
    Group,
    GroupMember,
    Metrics,
    Progress,
    Source,
    UserKey,
    model,
)

CASES = Path(__file__).parents[1] / "cases"
COLLECTION = "application/vnd.ekstep.content-collection"
KEYS = {
    "activity_user_agg": ("activity_type", "activity_id", "user_id", "context_id"),
    "activity_agg": ("activity_type", "activity_id", "context_id"),
    "group_activity_agg": ("group_id", "activity_type", "activity_id"),
    "group_activity_user_agg": ("group_id", "activity_type", "activity_id", "user_id"),
}


def single_run_cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.yaml")):
        case = yaml.safe_load(path.read_text())
        kinds = [kind for step in case["steps"] for kind in step]
        if kinds.count("run") == 1 and {*kinds} <= {"load", "run", "expect", "expect_some", "expect_run"}:
            yield pytest.param(case["steps"], id=path.stem)


@pytest.mark.parametrize("steps", list(single_run_cases()))
def test_the_model_meets_the_cases(steps: list[dict[str, Any]]) -> None:
    expected = model(source_of([step["load"] for step in steps if "load" in step]))
    for step in steps:
        for table, rows in step.get("expect", {}).items():
            assert getattr(expected, table) == {key_of(table, row): row["agg"] for row in rows}
        for table, rows in step.get("expect_some", {}).items():
            for row in rows:
                assert getattr(expected, table)[key_of(table, row)].items() >= row["agg"].items()
        for reason, count in step.get("expect_run", {}).get("refused", {}).items():
            assert expected.counts[f"refused.{reason}"] == count


def key_of(table: str, row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[column] for column in KEYS[table])


def source_of(loads: list[dict[str, Any]]) -> Source:
    def rows(table: str) -> Iterator[dict[str, Any]]:
        for load in loads:
            yield from load.get(table, [])

    def values(table: str, columns: str) -> Iterator[list[Any]]:
        return ([row.get(column) for column in columns.split()] for row in rows(table))

    enrolment = "userid courseid batchid active status completedon"
    attempt = "course_id batch_id user_id content_id attempt_id total_score total_max_score last_attempted_on"
    return Source(
        enrolments=[Enrolment(*row) for row in values("user_enrolments", enrolment)],
        progress=[
            Progress(*row) for row in values("user_content_consumption", "userid courseid batchid contentid status")
        ],
        hierarchies={key: stored(tree) for load in loads for key, tree in load.get("content_hierarchy", {}).items()},
        attempts=[
            Attempt._make([*row[:-1], datetime.fromisoformat(row[-1])])
            for row in values("assessment_aggregator", attempt)
        ],
        groups=[Group(*row) for row in values("group", "id name status activities")],
        group_members=[GroupMember(*row) for row in values("group_member", "groupid userid status role")],
    )


def stored(tree: Any) -> str:
    return tree if isinstance(tree, str) else json.dumps(full(tree))


def full(node: Any) -> dict[str, Any]:
    """The tree that a line of shorthand stands for; what is no shorthand stays as it is."""
    if isinstance(node, str):
        return {"identifier": node, "mimeType": "video/mp4"}
    tree = {key: value for key, value in node.items() if key not in ("course", "unit", "leaf", "optional", "children")}
    for kind, mime_type in (("course", COLLECTION), ("unit", COLLECTION), ("leaf", "video/mp4")):
        if kind in node:
            tree |= {"identifier": node[kind], "mimeType": mime_type}
    if "optional" in node:
        tree["relationalMetadata"] = {"optional": node["optional"]}
    if "children" in node:
        tree["children"] = [full(child) for child in node["children"]]
    return tree


def one_learner(course: Any, done: str = "", **enrolment: Any) -> Expected:
    """u1 in batch b1 of course c1, with the contents named (in one word each) done."""
    rows = [Progress("u1", "c1", "b1", content, 2) for content in done.split()]
    return model(
        Source([Enrolment("u1", "c1", "b1", **enrolment)], progress=rows, hierarchies={"c1": stored(course)}),
    )


def of_course(expected: Expected) -> Metrics:
    return expected.activity_user_agg[UserKey("Course", "c1", "u1", "cb:b1")]


def of_unit(expected: Expected, unit: str) -> Metrics:
    return expected.activity_user_agg[UserKey("CourseUnit", unit, "u1", "cb:b1")]


def test_what_lies_below_an_optional_unit_is_required_by_the_unit_alone() -> None:
    expected = one_learner(
        {"course": "c1", "children": ["A", {"unit": "n1", "optional": True, "children": ["B"]}]}, "B"
    )
    assert of_course(expected)["leafNodesCount"] == 1
    assert of_unit(expected, "n1")["completionPercentage"] == 100


def test_a_leaf_that_is_optional_in_one_unit_and_required_in_another_is_required_by_the_course() -> None:
    units = [{"unit": "n1", "children": [{"leaf": "A", "optional": True}]}, {"unit": "n2", "children": ["A"]}]
    expected = one_learner({"course": "c1", "children": units}, "A")
    assert of_course(expected)["leafNodesCount"] == 1
    assert (of_unit(expected, "n1")["leafNodesCount"], of_unit(expected, "n2")["leafNodesCount"]) == (0, 1)


def test_a_unit_placed_twice_is_one_unit_with_its_placements_united() -> None:
    twice = [{"unit": "n1", "children": ["A"]}, {"unit": "n1", "optional": True, "children": ["A", "B"]}]
    expected = one_learner({"course": "c1", "children": twice}, "A")
    assert of_unit(expected, "n1")["completionPercentage"] == 50
    assert of_course(expected)["completionPercentage"] == 100


def test_a_collection_without_children_takes_its_leaf_nodes() -> None:
    nested = {"unit": "c2", "leafNodes": ["A", "B"], "children": []}
    assert of_unit(one_learner({"course": "c1", "children": [nested]}, "A"), "c2")["completionPercentage"] == 50


def test_a_collection_whose_children_are_all_retired_has_no_leaves() -> None:
    emptied = {"unit": "n1", "leafNodes": ["B"], "children": [{"leaf": "B", "status": "Retired"}]}
    expected = one_learner({"course": "c1", "children": ["A", emptied]})
    assert of_course(expected)["leafNodesCount"] == 1
    assert expected.activity_agg[ActivityKey("CourseUnit", "n1", "cb:b1")]["averageProgress"] == 100


def test_a_node_with_children_is_a_collection_whatever_its_mime_type() -> None:
    assert of_unit(one_learner({"course": "c1", "children": [{"leaf": "n1", "children": ["A"]}]}, "A"), "n1")


@pytest.mark.parametrize("inner", ["c1", "root", "n1"])
def test_a_tree_that_contains_itself_is_invalid(inner: str) -> None:
    around = {"unit": "n1", "children": [{"unit": inner, "children": ["A"]}]}
    expected = one_learner({"course": "root", "children": [around]})
    assert expected.counts["refused.invalid_hierarchy"] == 1


def test_a_course_without_leaves_is_refused_and_one_without_required_leaves_is_complete() -> None:
    assert one_learner({"course": "c1", "children": [{"unit": "n1"}]}).counts["refused.empty_hierarchy"] == 1
    optional = one_learner({"course": "c1", "children": [{"leaf": "A", "optional": True}]})
    assert (of_course(optional)["completionPercentage"], of_course(optional)["completed"]) == (100, 1)


def test_of_several_rows_for_one_key_the_most_favourable_counts() -> None:
    rows = [Enrolment("u1", "c1", "b1", active=False, status=2), Enrolment("u1", "c1", "b1", status=1)]
    progress = [Progress("u1", "c1", "b1", "A", status) for status in (1, 2, None)]
    expected = model(Source(rows, progress, {"c1": stored({"course": "c1", "children": ["A", "B"]})}))
    assert (of_course(expected)["completedCount"], of_course(expected)["completed"]) == (1, 1)


def test_a_unit_of_two_courses_in_one_batch_belongs_to_the_smaller_course() -> None:
    tree = {"unit": "n1", "children": ["A"]}
    expected = model(
        Source(
            [Enrolment("u1", "c1", "b1"), Enrolment("u2", "c2", "b1")],
            [Progress("u2", "c2", "b1", "A", 2)],
            {course: stored({"course": course, "children": [tree]}) for course in ("c1", "c2")},
        )
    )
    assert expected.activity_agg[ActivityKey("CourseUnit", "n1", "cb:b1")]["startedCount"] == 0
    assert expected.counts["counted.shared_context"] == 1


def test_equal_scores_are_decided_by_the_later_time_and_no_time_is_the_earliest() -> None:
    times = {"t1": datetime(2026, 1, 2, tzinfo=UTC), "t2": datetime(2026, 1, 1, tzinfo=UTC), "t3": None}
    attempts = [
        Attempt("c1", "b1", "u1", "Q", attempt, 2.0, float(maximum), times[attempt])
        for attempt, maximum in (("t1", 8), ("t2", 4), ("t3", 2))
    ]
    source = Source([Enrolment("u1", "c1", "b1")], [], {"c1": stored({"course": "c1", "children": ["Q"]})}, attempts)
    assert model(source).activity_user_agg[UserKey("Quiz", "Q", "u1", "cb:b1")] == {
        "score": 2,
        "maxScore": 8,
        "attemptsCount": 3,
        "scorePercentage": 25,
    }
