"""What a course consists of: its leaves, its units, and which leaves each requires. Trees are in shorthand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from metrics.trees.hierarchy import Collection, Outline, outline, outline_rows
from tests.harness.hierarchy import COLLECTION, hierarchy_text

QUESTION_SET = "application/vnd.sunbird.questionset"


def course(*children: Any, **root: Any) -> Outline:
    return outline("c1", hierarchy_text({"course": "c1", "children": list(children), **root}))


def unit(identifier: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"unit": identifier, "children": list(children), **more}


def named(course: Outline, bits: int) -> set[str]:
    return {leaf for leaf, number in course.leaves.items() if bits >> number & 1}


def required(course: Outline, unit: str | None = None) -> set[str]:
    return named(course, collection(course, unit).required)


def below(course: Outline, unit: str | None = None) -> set[str]:
    return named(course, collection(course, unit).below)


def collection(course: Outline, unit: str | None) -> Collection:
    return course.collections[("CourseUnit", unit) if unit else ("Course", "c1")]


def units(course: Outline) -> set[str]:
    return {identifier for kind, identifier in course.collections if kind == "CourseUnit"}


@pytest.mark.parametrize("children", [{}, {"children": None}, {"children": []}])
def test_without_children_a_content_is_a_leaf_and_a_collection_is_not(children: dict[str, Any]) -> None:
    found = course({"leaf": "A", **children}, {"identifier": "B", **children}, {"unit": "n1", **children})
    assert (set(found.leaves), units(found), below(found, "n1")) == ({"A", "B"}, {"n1"}, set())


@pytest.mark.parametrize("mime_type", [{}, {"mimeType": None}, {"mimeType": " "}, {"mimeType": COLLECTION}])
def test_a_node_with_children_is_a_collection_unless_its_mime_type_is_another(mime_type: dict[str, Any]) -> None:
    found = course({"identifier": "n1", "children": ["A"], **mime_type})
    assert (set(found.leaves), units(found)) == ({"A"}, {"n1"})


def test_a_question_set_is_one_leaf_with_its_sections_or_without() -> None:
    section = {"identifier": "s1", "mimeType": QUESTION_SET, "children": [{"leaf": "q1"}, {"leaf": "q2"}]}
    found = course(unit("n1", {"identifier": "Q", "mimeType": QUESTION_SET, "children": [section]}))
    assert (required(found, "n1"), set(found.leaves), units(found)) == ({"Q"}, {"Q"}, {"n1"})
    assert found == course(unit("n1", {"identifier": "Q", "mimeType": QUESTION_SET}))


@pytest.mark.parametrize("inside", ["no list", [None], [{"mimeType": "video/mp4"}], ["c1"], ["A"]])
def test_nothing_below_a_leaf_is_looked_at(inside: Any) -> None:
    assert required(course({"identifier": "A", "mimeType": "video/mp4", "children": inside})) == {"A"}


@pytest.mark.parametrize("mime_type", [{}, {"mimeType": None}, {"mimeType": QUESTION_SET}])
def test_the_root_is_a_collection_whatever_it_says(mime_type: dict[str, Any]) -> None:
    root = {"identifier": "c1", "leafNodes": ["A"], **mime_type}
    assert required(outline("c1", json.dumps(root))) == {"A"}


@pytest.mark.parametrize("children", [{}, {"children": None}, {"children": []}])
def test_a_collection_without_children_takes_its_leaf_nodes(children: dict[str, Any]) -> None:
    found = course({"unit": "c2", "leafNodes": ["A", "B"], **children}, "A")
    assert required(found, "c2") == {"A", "B"}
    assert required(found) == {"A", "B"}


def test_a_course_without_children_takes_its_leaf_nodes() -> None:
    assert required(course(leafNodes=["A", "B"])) == {"A", "B"}


@pytest.mark.parametrize("children", [["A"], [{"leaf": "A", "status": "Retired"}, "B"]])
def test_leaf_nodes_of_a_collection_with_children_say_nothing(children: list[Any]) -> None:
    found = course("B", unit("n1", *children, leafNodes=["X", "Y"]))
    assert not {"X", "Y"} & set(found.leaves)


def test_leaf_nodes_of_a_leaf_say_nothing() -> None:
    assert required(course({"leaf": "A", "leafNodes": ["X"]})) == {"A"}


def test_leaf_nodes_below_an_optional_unit_are_required_by_it_alone() -> None:
    found = course("A", {"unit": "n1", "optional": True, "leafNodes": ["B"]})
    assert (required(found), required(found, "n1")) == ({"A"}, {"B"})


def test_a_unit_placed_twice_is_one_unit_with_its_placements_united() -> None:
    found = course(unit("n1", "A"), unit("n2", unit("n1", "B")))
    assert required(found, "n1") == {"A", "B"}
    assert required(found, "n2") == {"B"}


def test_a_unit_that_is_optional_in_one_placement_is_required_in_the_other() -> None:
    found = course(unit("n1", "A"), unit("n1", "A", "B", optional=True))
    assert (required(found), below(found)) == ({"A"}, {"A", "B"})
    assert required(found, "n1") == {"A", "B"}


def test_what_lies_below_an_optional_unit_is_required_by_it_and_by_no_collection_above() -> None:
    found = course("A", unit("n1", unit("n2", unit("n3", "B"), optional=True)))
    assert [required(found, above) for above in (None, "n1", "n2", "n3")] == [{"A"}, set(), {"B"}, {"B"}]
    assert below(found, "n1") == {"B"}


def test_a_leaf_that_is_optional_in_one_unit_and_required_in_another_is_required_by_the_course() -> None:
    found = course(unit("n1", {"leaf": "A", "optional": True}), unit("n2", "A"))
    assert [required(found, above) for above in (None, "n1", "n2")] == [{"A"}, set(), {"A"}]


def test_a_leaf_that_is_nowhere_required_is_below_and_the_course_stays_computable() -> None:
    found = course({"leaf": "A", "optional": True})
    assert (found.problem, below(found), required(found)) == (None, {"A"}, set())


@pytest.mark.parametrize("optional", [True, "true", "True", "TRUE"])
def test_true_and_its_text_in_any_case_make_a_node_optional(optional: Any) -> None:
    found = course("A", {"leaf": "B", "relationalMetadata": {"optional": optional}})
    assert (required(found), below(found)) == ({"A"}, {"A", "B"})


@pytest.mark.parametrize("optional", [None, False, "false", "yes", "", 1, ["true"]])
def test_nothing_else_makes_a_node_optional(optional: Any) -> None:
    assert required(course({"leaf": "A", "relationalMetadata": {"optional": optional}})) == {"A"}


@pytest.mark.parametrize("metadata", [None, {}, [], "optional"])
def test_metadata_that_do_not_speak_of_it_make_nothing_optional(metadata: Any) -> None:
    assert required(course({"leaf": "A", "relationalMetadata": metadata})) == {"A"}


def test_an_optional_root_makes_nothing_optional() -> None:
    assert required(course("A", optional=True)) == {"A"}


def test_a_retired_node_and_all_below_it_are_not_part_of_the_course() -> None:
    found = course("A", {"leaf": "B", "status": "Retired"}, unit("n1", "C", unit("n2", "D"), status="Retired"))
    assert (set(found.leaves), units(found)) == ({"A"}, set())


def test_a_retired_placement_leaves_the_other_one() -> None:
    found = course(unit("n1", {"leaf": "A", "status": "Retired"}), unit("n2", "A", {"leaf": "B", "status": "Live"}))
    assert (required(found, "n1"), required(found)) == (set(), {"A", "B"})


def test_a_retired_root_retires_the_course_even_where_its_tree_is_broken() -> None:
    found = course({"mimeType": "video/mp4"}, status="Retired")
    assert (found.is_retired, found.problem, found.leaves) == (True, None, {})


def test_the_row_key_names_the_course_whatever_the_tree_calls_itself() -> None:
    found = outline("do_key", hierarchy_text({"course": "do_tree", "children": ["A"]}))
    assert set(found.collections) == {("Course", "do_key")}


@pytest.mark.parametrize("inner", ["do_key", "do_tree", "n1"])
def test_a_tree_that_contains_itself_is_invalid(inner: str) -> None:
    tree = {"course": "do_tree", "children": [unit("n1", unit("n2", unit(inner, "A")))]}
    assert outline("do_key", hierarchy_text(tree)).problem == "invalid_hierarchy"


def test_a_unit_whose_leaf_nodes_name_the_unit_is_invalid() -> None:
    assert course({"unit": "n1", "leafNodes": ["n1"]}).problem == "invalid_hierarchy"


@pytest.mark.parametrize(
    "identifier", [{}, {"identifier": None}, {"identifier": " "}, {"identifier": 7}, {"identifier": "é" * 513}]
)
def test_a_node_without_identifier_is_invalid_however_deep_it_is(identifier: dict[str, Any]) -> None:
    assert course("A", unit("n1", unit("n2", {"mimeType": "video/mp4", **identifier}))).problem == "invalid_hierarchy"


@pytest.mark.parametrize(
    "text",
    [
        "{not json",
        "null",
        "[]",
        '{"children": ["A"]}',
        '{"identifier": "c1", "children": {"A": 1}}',
        '{"identifier": "c1", "children": [null]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_tree_is_invalid(text: str) -> None:
    assert outline("c1", text).problem == "invalid_hierarchy"


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_blank_hierarchy_is_missing(text: str | None) -> None:
    assert outline("c1", text).problem == "missing_hierarchy"


@pytest.mark.parametrize("children", [[], [{"unit": "n1"}], [{"leaf": "A", "status": "Retired"}]])
def test_a_tree_without_any_leaf_is_empty(children: list[Any]) -> None:
    assert course(*children).problem == "empty_hierarchy"


def test_unknown_fields_say_nothing() -> None:
    odd: dict[str, Any] = {
        "visibility": "Parent",
        "depth": "two",
        "leafNodesCount": 7,
        "relationalMetadata": {"relName": 1},
    }
    assert course({"leaf": "A", **odd}, **odd) == course("A")


def test_a_leaf_of_many_placements_has_one_number_in_document_order() -> None:
    found = course(unit("n1", "B", "A"), unit("n2", "A", "C"), "B")
    assert found.leaves == {"B": 0, "A": 1, "C": 2}


@pytest.mark.parametrize(("leaves", "words"), [(1, 1), (64, 1), (65, 2), (128, 2), (129, 3), (5_000, 79)])
def test_every_leaf_has_one_bit_of_a_signed_word_of_64(leaves: int, words: int) -> None:
    found = course(*(f"l{number}" for number in range(leaves))).words()
    masks = [mask for word in found for mask in word["collections"]]
    assert [word["word"] for word in found] == list(range(words))
    assert sum((mask["required"] % 2**64).bit_count() for mask in masks) == leaves
    assert all(-(2**63) <= mask["below"] == mask["required"] < 2**63 for mask in masks)


def test_the_course_is_in_every_word_and_a_unit_only_where_it_has_leaves() -> None:
    words = course(*(f"l{number}" for number in range(64)), unit("n1", "l64")).words()
    assert [[mask["activity_type"] for mask in word["collections"]] for word in words] == [
        ["Course"],
        ["Course", "CourseUnit"],
    ]
    assert [mask["below"] for word in words for mask in word["collections"]] == [-1, 1, 1]


def test_twenty_levels_of_units_with_five_thousand_leaves_are_all_counted() -> None:
    tree: list[Any] = []
    for level in range(20):
        tree = [unit(f"n{level}", *(f"l{level}-{number}" for number in range(250)), *tree)]
    found = course(*tree)
    assert len(found.leaves) == 5_000
    assert [len(required(found, f"n{level}")) for level in range(20)] == [250 * (level + 1) for level in range(20)]


def test_a_tree_deeper_than_python_nests_calls_is_walked() -> None:
    deep = '{"identifier": "c1", "children": [' + "".join(f'{{"identifier": "n{n}", "children": [' for n in range(400))
    found = outline("c1", deep + '{"identifier": "A"}' + "]}" * 401)
    assert (found.problem, len(units(found)), required(found)) == (None, 400, {"A"})


def test_the_row_of_a_refused_course_has_no_words_and_that_of_a_retired_one_no_problem() -> None:
    texts = {"c1": None, "c2": json.dumps({"identifier": "c2", "status": "Retired"}), "c3": '{"identifier": "c3"}'}
    rows = outline_rows(iter(texts.items()))
    assert [(row["problem"], row["is_retired"], row["words"]) for row in rows] == [
        ("missing_hierarchy", False, []),
        (None, True, []),
        ("empty_hierarchy", False, []),
    ]


@pytest.mark.parametrize(("leaves", "masks"), [(62, [2**62 - 1]), (63, [2**63 - 1]), (64, [-1]), (65, [-1, 1])])
def test_the_last_bit_of_a_word_is_the_sign_of_its_number(leaves: int, masks: list[int]) -> None:
    words = course(*(f"l{number}" for number in range(leaves))).words()
    assert [word["collections"][0]["below"] for word in words] == masks


def test_the_row_of_a_course_has_its_leaves_collections_masks_and_texts() -> None:
    tree = {"course": "c1", "name": "A", "children": [unit("n1", "l1"), {"leaf": "l2", "optional": True}]}
    (row,) = outline_rows(iter([("c1", hierarchy_text(tree))]), {"title": "name"})
    whole = {"activity_type": "Course", "activity_id": "c1", "leaf_nodes_count": 1}
    part = {"activity_type": "CourseUnit", "activity_id": "n1", "leaf_nodes_count": 1}
    assert row == {
        "course_id": "c1", "problem": None, "is_retired": False, "leaves": ["l1", "l2"], "collections": [whole, part],
        "words": [
            {"word": 0, "collections": [whole | {"below": 3, "required": 1}, part | {"below": 1, "required": 1}]}
        ],
        "described": [
            {"activity_id": "c1", "metadata": [("title", "A")]}, {"activity_id": "n1", "metadata": []},
            {"activity_id": "l1", "metadata": []}, {"activity_id": "l2", "metadata": []},
        ],
    }  # fmt: skip


def described(*children: Any, **root: Any) -> dict[str, dict[str, str]]:
    entries = {"name": "name", "state": "status", "leaves": "leafNodesCount"}
    tree = {"course": "do_root", "children": list(children), **root}
    return outline("c1", hierarchy_text(tree), entries).described


def test_nodes_are_described_by_the_attributes_asked_for_and_the_course_under_its_row_key() -> None:
    found = described({"leaf": "A", "name": "Aims", "status": "Live", "depth": 2}, name="Algebra", status="Draft")
    assert found == {"c1": {"name": "Algebra", "state": "Draft", "leaves": "1"}, "A": {"name": "Aims", "state": "Live"}}


def test_a_collection_has_the_leaves_that_it_requires_whatever_it_says_itself() -> None:
    found = described(unit("n1", {"leaf": "A", "optional": True, "leafNodesCount": 5}, "B", leafNodesCount=7))
    assert [found[node].get("leaves") for node in ("c1", "n1", "A")] == ["1", "1", None]


def test_the_first_placement_of_a_node_describes_it() -> None:
    found = described(unit("n1", leafNodes=["A"]), {"leaf": "A", "name": "first"}, {"leaf": "A", "name": "second"})
    assert found["A"] == {"name": "first"}


def test_what_is_retired_below_a_course_is_not_described() -> None:
    assert described("A", unit("n1", "B", status="Retired")).keys() == {"c1", "A"}


def test_without_entries_only_the_course_is_listed() -> None:
    assert course("A", unit("n1", "B")).described == {"c1": {}}


def test_an_identifier_may_be_as_long_as_a_key_in_bytes_and_no_longer() -> None:
    assert list(course("é" * 512).leaves) == ["é" * 512]
    assert course("é" * 512 + "l").problem == "invalid_hierarchy"
