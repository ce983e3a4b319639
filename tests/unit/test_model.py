"""The model agrees with the executable expectations, and with the corners of the definitions, literally."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.hierarchy import hierarchy_text
from tests.model import (
    ActivityKey,
    Attempt,
    Enrolment,
    Metrics,
    Progress,
    Settings,
    Source,
    Tables,
    UserKey,
    model,
    published_problems,
)
from tests.model.deployed import Deployed
from tests.model.tables import CATALOG, KEYS, CatalogKey

CASES = Path(__file__).parents[1] / "cases"
PUBLISHED = ["verify", "--published"]


def cases_of_whole_runs() -> Iterator[Any]:
    """Those in which every run ends as a full run would, with the same settings: no scope, no older as_of."""
    for path in sorted(CASES.glob("*.yaml")):
        case = yaml.safe_load(path.read_text("utf-8"))
        if any("settings" in step for step in case["steps"]):
            continue
        if are_whole_runs([step["run"] or {} for step in case["steps"] if "run" in step]) and all(
            step.get("command", {"args": PUBLISHED})["args"] == PUBLISHED for step in case["steps"]
        ):
            yield pytest.param(settings_of(case), case["steps"], id=path.stem)


def are_whole_runs(runs: list[dict[str, Any]]) -> bool:
    arguments = [[str(each) for each in run.get("args", [])] for run in runs]
    dates = [each for run in arguments for each in run if each[:2] == "20"]
    flags = {each for run in arguments for each in run if each.startswith("--")}
    are_dated = len(dates) in (0, len(runs)) and dates == sorted(dates)
    return are_dated and flags <= {"--as-of", "--incremental"} and not any(run.get("exit") for run in runs)


def settings_of(case: dict[str, Any]) -> Settings:
    metrics = (case.get("settings") or {}).get("metrics", {})
    return Settings(
        families=frozenset(metrics.get("families", ["completion"])),
        sticky=metrics.get("completion", "sticky") == "sticky",
        scores_in_course=metrics.get("scores_in_course", True),
        time_zone=metrics.get("time_zone", "UTC"),
        course_types=tuple(metrics.get("course_types", ["Course"])),
        carry=tuple(metrics.get("carry", [])),
    )


@pytest.mark.parametrize(("settings", "steps"), list(cases_of_whole_runs()))
def test_the_model_meets_the_cases(settings: Settings, steps: list[dict[str, Any]]) -> None:
    platform, tables = Deployed(), Tables()
    for step in steps:
        for table, given in step.get("load", {}).items():
            platform.load(table, rows_of(given))
        for table, rows in step.get("delete", {}).items():
            tables = without(tables, table, rows) if table in KEYS else tables
            if table not in KEYS:
                platform.delete(table, rows)
        for table, rows in step.get("write", {}).items():
            tables = written(tables, table, rows)
        if "run" in step:
            tables = model(platform.source(), settings, tables)
        if not set(step.get("delete", {})) & {*KEYS}:  # until the next run rows that are gone are missing in the counts
            assert not published_problems(tables, settings)
        meets(tables, step)


def rows_of(given: Any) -> list[dict[str, Any]]:
    """The hierarchies are a mapping of identifiers to trees."""
    if isinstance(given, dict):
        return [{"identifier": course, "hierarchy": hierarchy_text(tree)} for course, tree in given.items()]
    return list(given)


def written(tables: Tables, table: str, rows: list[dict[str, Any]]) -> Tables:
    """What another writer adds to the maps."""
    if table not in KEYS:
        return tables
    merged = dict(getattr(tables, table))
    for row in rows:
        merged[key_of(table, row)] = merged.get(key_of(table, row), {}) | row["agg"]
    changed: dict[str, Any] = {table: merged}
    return replace(tables, **changed)


def without(tables: Tables, table: str, rows: list[dict[str, Any]]) -> Tables:
    gone = {key_of(table, row) for row in rows}
    changed: dict[str, Any] = {table: {key: row for key, row in getattr(tables, table).items() if key not in gone}}
    return replace(tables, **changed)


def meets(tables: Tables, step: dict[str, Any]) -> None:
    for table, rows in step.get("expect", {}).items():
        if table == CATALOG:
            wanted = {CatalogKey(*(row[name] for name in CatalogKey._fields)): row["course_id"] for row in rows}
            assert tables.activity_catalog == wanted
        elif table in KEYS:
            assert getattr(tables, table) == {key_of(table, row): row["agg"] for row in rows}
    for table, rows in step.get("expect_some", {}).items():
        for row in rows if table in KEYS else ():
            assert getattr(tables, table)[key_of(table, row)].items() >= row["agg"].items()
    for reason, count in step.get("expect_run", {}).get("refused", {}).items():
        by_reason = (
            {f"{reason}.{name}": rows for name, rows in count.items()} if isinstance(count, dict) else {reason: count}
        )
        assert {name: tables.counts[f"refused.{name}"] for name in by_reason} == by_reason


def key_of(table: str, row: dict[str, Any]) -> tuple[str, ...]:
    return KEYS[table](*(row[column] for column in KEYS[table]._fields))  # type: ignore[no-any-return]


def one_learner(course: Any, done: str = "", **enrolment: Any) -> Tables:
    """u1 in batch b1 of course c1, with the contents named (in one word each) done."""
    rows = [Progress("u1", "c1", "b1", content, 2) for content in done.split()]
    return model(
        Source([Enrolment("u1", "c1", "b1", **enrolment)], progress=rows, hierarchies={"c1": hierarchy_text(course)}),
    )


def of_course(expected: Tables) -> Metrics:
    return expected.activity_user_agg[UserKey("Course", "c1", "u1", "cb:b1")]


def of_unit(expected: Tables, unit: str) -> Metrics:
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


def test_the_type_of_a_node_decides_and_what_is_below_a_leaf_is_not_looked_at() -> None:
    question_set = {"leaf": "n1", "children": [{"mimeType": "a question without identifier"}]}
    assert of_course(one_learner({"course": "c1", "children": [question_set]}, "n1"))["leafNodesCount"] == 1


def test_a_node_without_type_is_a_collection_if_it_has_children() -> None:
    untyped = {"identifier": "n1", "mimeType": None, "children": [{"identifier": "A", "children": []}]}
    assert of_unit(one_learner({"course": "c1", "children": [untyped]}, "A"), "n1")["completionPercentage"] == 100


def test_optional_is_true_or_the_text_in_any_case() -> None:
    leaves = [{"leaf": str(value), "optional": value} for value in (True, "true", "TRUE", "yes", False, None)]
    assert of_course(one_learner({"course": "c1", "children": leaves}))["leafNodesCount"] == 3


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
    expected = model(Source(rows, progress, {"c1": hierarchy_text({"course": "c1", "children": ["A", "B"]})}))
    assert (of_course(expected)["completedCount"], of_course(expected)["completed"]) == (1, 1)


def test_a_unit_of_two_courses_in_one_batch_belongs_to_the_smaller_course() -> None:
    tree = {"unit": "n1", "children": ["A"]}
    expected = model(
        Source(
            [Enrolment("u1", "c1", "b1"), Enrolment("u2", "c2", "b1")],
            [Progress("u2", "c2", "b1", "A", 2)],
            {course: hierarchy_text({"course": course, "children": [tree]}) for course in ("c1", "c2")},
        )
    )
    assert expected.activity_agg[ActivityKey("CourseUnit", "n1", "cb:b1")]["startedCount"] == 0
    assert expected.counts["counted.shared_context"] == 1


def test_equal_scores_are_decided_by_the_later_time_and_no_time_is_the_earliest() -> None:
    times = {"t1": 2000, "t2": 1000, "t3": None}
    attempts = [
        Attempt("c1", "b1", "u1", "Q", attempt, 2.0, float(maximum), times[attempt])
        for attempt, maximum in (("t1", 8), ("t2", 4), ("t3", 2))
    ]
    source = Source(
        [Enrolment("u1", "c1", "b1")], [], {"c1": hierarchy_text({"course": "c1", "children": ["Q"]})}, attempts
    )
    assert model(source).activity_user_agg[UserKey("Quiz", "Q", "u1", "cb:b1")] == {
        "score": 2,
        "maxScore": 8,
        "attemptsCount": 3,
        "scorePercentage": 25,
    }
