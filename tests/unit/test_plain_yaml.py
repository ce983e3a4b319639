"""What YAML can say and settings cannot: each kind is refused in a sentence."""

from __future__ import annotations

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.plain_yaml import parsed

BOMB = "a0: &a0 [x]\n" + "\n".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 2026-02-30", "in x the value in line 1 cannot be held as a date: write a text in quotes"),
        ("a: 0000-01-01", "in x the value in line 1 cannot be held as a date: write a text in quotes"),
        ("b: 1\na: 0x_", "in x the value in line 2 cannot be held as a whole number of 64 bits"),
        (f"a: {'9' * 5000}", "in x the value in line 1 cannot be held as a whole number of 64 bits"),
        (f"a: 0x{'f' * 5000}", "in x the value in line 1 cannot be held as a whole number of 64 bits"),
        ("a: !!bool x", "in x the value in line 1 cannot be held as true or false"),
        ('a: "\\ud800"', "in x the value in line 1 cannot be held as text: write it as Unicode"),
        ('a: "/run/\\0"', "in x the value in line 1 cannot be held as text: write it as Unicode"),
        ("a: !!binary aGVsbG8=", "x is not YAML in line 1: could not determine a constructor for the tag"),
        ("{no: 1}", "in x the key no in line 1 is not a text: write it in quotes"),
        ('{"a\\nb": 1}', "in x the key in line 1 is not a text: write it in quotes"),
        ("a: \0", "x is not YAML: character 4 of it is no text"),
        ("a: &a [*a]", "x has more than 50 levels of lists and mappings: write it flatter"),
        ("[" * 3000, "x has more than 50 levels of lists and mappings: write it flatter"),
        (BOMB, "x says more than 1000000 values: leave out aliases of aliases"),
    ],
)
def test_a_value_that_cannot_be_held_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(text, "x")
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_aliases_and_merged_mappings_are_what_they_stand_for() -> None:
    assert parsed("a: &a {b: 1}\nc: {<<: *a, d: 2}", "x") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_a_merged_mapping_may_be_merged_once_more() -> None:
    """Also where the second one stands higher in the tree, and so is built first."""
    text = "a: &a {x: 1, y: 2}\nb: {c: {d: &d {<<: *a, x: 3}}}\ne: {<<: *d, y: 4}\nf: {<<: [*d, *a]}"
    of_d = {"x": 3, "y": 2}
    assert parsed(text, "x") == {"a": {"x": 1, "y": 2}, "b": {"c": {"d": of_d}}, "e": {"x": 3, "y": 4}, "f": of_d}


@pytest.mark.parametrize("text", ["[{a: 1, a: 2}]", "a: &a {b: 1, b: 2}", "{? {c: 1, c: 2} : 1}", "{<<: {b: 1, b: 2}}"])
def test_a_key_that_is_said_twice_is_found_wherever_it_stands(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^in x the key \w is given twice, in line 1: leave out one of them$"):
        parsed(text, "x")
