"""Attributes of nodes as texts."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.trees.attributes import texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Algebra", "Algebra"),
        (" Algebra ", " Algebra "),
        (2, "2"),
        (2.5, "2.5"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("half \ud800 a pair", "half ? a pair"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_texts_stay_and_numbers_and_truth_values_are_written_as_json(value: Any, text: str) -> None:
    assert texts({"name": value}, {"title": "name"}) == {"title": text}


@pytest.mark.parametrize("value", [None, "", "  ", [], ["x"], {}, {"en": "Algebra"}])
def test_what_is_no_text_or_blank_is_no_entry(value: Any) -> None:
    assert texts({"name": value}, {"title": "name"}) == {}


def test_a_text_is_cut_to_a_thousand_characters() -> None:
    assert texts({"name": "a" * 1001}, {"name": "name"}) == {"name": "a" * 1000}
