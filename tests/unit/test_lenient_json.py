"""JSON with escapes that it does not know."""

from __future__ import annotations

import json

import pytest

from metrics.trees.lenient_json import parsed


@pytest.mark.parametrize("character", ["'", "g", "x", "X", "(", "\n", "\t", "é", "😀", " "])
def test_an_unknown_escape_stands_for_its_character(character: str) -> None:
    assert parsed('{"name": "a\\' + character + 'b"}') == {"name": f"a{character}b"}


def test_known_escapes_beside_unknown_ones_keep_their_meaning() -> None:
    assert parsed(r'"\'\" \\ \\\' \/ \n \t \u00e9"') == "'\" \\ \\' / \n \t é"


def test_an_escaped_backslash_before_a_quote_ends_the_string() -> None:
    assert parsed(r'["\g\\", "b"]') == ["g\\", "b"]


@pytest.mark.parametrize("text", [r'{\"a": 1}', r'\{"a": "\g"}', r'"\g', r'"\u12g4 \g"', '"\\g \n"', r'{"a": "\g",}'])
def test_what_is_not_json_otherwise_is_still_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parsed(text)
